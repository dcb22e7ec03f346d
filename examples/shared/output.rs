//! What the examples share: tidy CSV, and files that are written whole or not at all.

use std::fs;
use std::io::Write;
use std::path::Path;

use promolift::polars::prelude::{AnyValue, DataFrame};

#[path = "../../src/whole_file.rs"]
mod whole_file;

use whole_file::written_whole;

/// A tidy frame as CSV text; absent numbers are empty.
pub(crate) fn csv_of(frame: &DataFrame) -> Result<String, String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(frame.get_column_names().iter().map(|n| n.as_str())).map_err(|e| e.to_string())?;
    for row in 0..frame.height() {
        let fields = frame.columns().iter().map(|column| column.get(row).map(|value| field(&value)));
        writer.write_record(fields.collect::<Result<Vec<_>, _>>().map_err(|e| e.to_string())?).map_err(|e| e.to_string())?;
    }
    let bytes = writer.into_inner().map_err(|e| e.to_string())?;
    String::from_utf8(bytes).map(|text| text.trim_end().to_owned()).map_err(|e| e.to_string())
}

/// One field, numbers in full precision.
fn field(value: &AnyValue<'_>) -> String {
    match value {
        AnyValue::Null => String::new(),
        AnyValue::String(text) => (*text).to_owned(),
        AnyValue::Float64(number) => format!("{number:?}"),
        other => other.to_string(),
    }
}

/// An output must not be an input.
pub(crate) fn not_an_input<'a>(option: &str, path: &Path, mut inputs: impl Iterator<Item = &'a Path>) -> Result<(), String> {
    match inputs.find(|input| same_file(path, input)) {
        Some(input) => Err(format!("{option} {} would overwrite a file that is read, {}; name another", path.display(), input.display())),
        None => Ok(()),
    }
}

/// The folder a file stands in.
pub(crate) fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Whether two paths lead to one file, which need not be there yet.
pub(crate) fn same_file(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().ok().or_else(|| Some(folder(path).canonicalize().ok()?.join(path.file_name()?)));
    match (real(one), real(other)) {
        (Some(one), Some(other)) => one == other,
        _ => false,
    }
}

/// Prints, or writes a file that is whole or not there.
pub(crate) fn print(text: &str, out: Option<&Path>) -> Result<(), String> {
    let Some(path) = out else {
        let written = std::io::stdout().write_all(text.as_bytes()).and_then(|()| std::io::stdout().write_all(b"\n"));
        // A closed pipe (`| head`) is not a failure.
        return match written {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.to_string()),
            _ => Ok(()),
        };
    };
    let written = written_whole(path, |beside| fs::write(beside, format!("{text}\n")));
    written.map_err(|error: std::io::Error| format!("{} could not be written: {error}", path.display()))
}
