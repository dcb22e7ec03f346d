//! The product table in the file of an index: its ids, and each column as integers, floats or texts, so that selections and numbers read the same from it.

use polars::prelude::*;

use super::file::Broken;
use super::words::{Out, Reading, Source};
use crate::error::Result;
use crate::ledger::ProductTable;
use crate::study::Ids;

/// What a column is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Texts,
    Integers,
    Floats,
    Singles,
    /// Texts that are decimals with so many digits, and so many of them behind the point.
    Decimals(usize, usize),
    Nulls,
}

impl Kind {
    fn of(series: &Series) -> Self {
        match series.dtype() {
            DataType::Null => Self::Nulls,
            DataType::Float64 => Self::Floats,
            DataType::Float32 => Self::Singles,
            DataType::Decimal(digits, scale) => Self::Decimals(*digits, *scale),
            dtype if dtype.is_integer() && series.cast(&DataType::Int64).is_ok_and(|wide| wide.null_count() == series.null_count()) => Self::Integers,
            _ => Self::Texts,
        }
    }

    fn code(self) -> [u64; 3] {
        match self {
            Self::Texts => [0, 0, 0],
            Self::Integers => [1, 0, 0],
            Self::Floats => [2, 0, 0],
            Self::Singles => [3, 0, 0],
            Self::Decimals(digits, scale) => [4, digits as u64, scale as u64],
            Self::Nulls => [5, 0, 0],
        }
    }

    fn decoded(code: &[u64]) -> Option<Self> {
        match code {
            [0, ..] => Some(Self::Texts),
            [1, ..] => Some(Self::Integers),
            [2, ..] => Some(Self::Floats),
            [3, ..] => Some(Self::Singles),
            [4, digits, scale] => Some(Self::Decimals(*digits as usize, *scale as usize)),
            [5, ..] => Some(Self::Nulls),
            _ => None,
        }
    }
}

/// Writes the table. Columns that cannot be texts (lists, say) are left out: no selection can ask for them.
pub(super) fn write(table: &ProductTable, out: &mut Out) -> Result<()> {
    match &table.ids {
        Ids::Integers(ids) => {
            out.number(0)?;
            out.list(ids)?;
        }
        Ids::Texts(ids) => {
            out.number(1)?;
            out.texts(ids.iter().map(String::as_str))?;
        }
    }
    out.number(table.repeated as u64)?;
    let columns: Vec<(&Column, Series)> =
        table.columns().iter().filter_map(|column| Some((column, column.as_materialized_series().cast(&DataType::String).ok()?))).collect();
    out.number(columns.len() as u64)?;
    for (column, texts) in columns {
        let series = column.as_materialized_series();
        let kind = Kind::of(series);
        out.text(column.name())?;
        out.list_of(&kind.code())?;
        out.list(&series.is_not_null().iter().map(|there| u8::from(there == Some(true))).collect::<Vec<_>>())?;
        match kind {
            Kind::Nulls => {}
            Kind::Integers => out.list(&series.cast(&DataType::Int64)?.i64()?.iter().map(Option::unwrap_or_default).collect::<Vec<_>>())?,
            Kind::Floats | Kind::Singles => out.list(&series.cast(&DataType::Float64)?.f64()?.iter().map(Option::unwrap_or_default).collect::<Vec<_>>())?,
            Kind::Texts | Kind::Decimals(..) => out.texts(texts.str()?.iter().map(Option::unwrap_or_default).collect::<Vec<_>>().into_iter())?,
        }
    }
    Ok(())
}

/// Reads the table.
pub(super) fn read(source: &mut Source) -> Reading<ProductTable> {
    let ids = if source.flag()? { Ids::Texts(source.texts()?) } else { Ids::Integers(source.list()?) };
    let repeated = source.number()? as usize;
    let columns = source.many(column)?;
    if columns.iter().any(|column| column.len() != ids.len()) {
        return Err(Broken::Changed);
    }
    let frame = if columns.is_empty() { DataFrame::default() } else { DataFrame::new(ids.len(), columns).map_err(|_| Broken::Changed)? };
    Ok(ProductTable::of_parts(ids, frame, repeated))
}

fn column(source: &mut Source) -> Reading<Column> {
    let name = PlSmallStr::from(source.text()?);
    let kind = Kind::decoded(&source.list_of::<u64>(3)?).ok_or(Broken::Changed)?;
    let there: Vec<u8> = source.list()?;
    let cast = |series: Series, dtype: DataType| series.cast(&dtype).map_err(|_| Broken::Changed);
    let series = match kind {
        Kind::Nulls => Series::full_null(name, there.len(), &DataType::Null),
        Kind::Integers => Series::new(name, known(source.list::<i64>()?, &there)?),
        Kind::Floats => Series::new(name, known(source.list::<f64>()?, &there)?),
        Kind::Singles => cast(Series::new(name, known(source.list::<f64>()?, &there)?), DataType::Float32)?,
        Kind::Texts => Series::new(name, known(source.texts()?, &there)?),
        Kind::Decimals(digits, scale) => cast(Series::new(name, known(source.texts()?, &there)?), DataType::Decimal(digits, scale))?,
    };
    Ok(series.into())
}

/// The values that are there.
fn known<T>(values: Vec<T>, there: &[u8]) -> Reading<Vec<Option<T>>> {
    if values.len() != there.len() {
        return Err(Broken::Changed);
    }
    Ok(values.into_iter().zip(there).map(|(value, there)| (*there == 1).then_some(value)).collect())
}
