//! Every example runs as a process, as a reader would run it: what it prints, where, and with which exit code.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;

/// A folder of its own, removed at the end.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let path = std::env::temp_dir().join(format!("promolift-examples-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn at(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = std::fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

/// What an example printed, and how it ended.
pub(crate) struct Run {
    code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs an example; `cargo test` puts it beside the folder of this test.
#[track_caller]
pub(crate) fn run<S: AsRef<std::ffi::OsStr>>(example: &str, arguments: &[S]) -> Run {
    let tests = std::env::current_exe().unwrap();
    let program = tests.parent().and_then(Path::parent).unwrap().join("examples").join(example);
    assert!(program.exists(), "{} is not built; run `cargo build --examples`", program.display());
    let Output { status, stdout, stderr } = Command::new(program).args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Run { code: status.code(), out: text(stdout), err: text(stderr) }
}

impl Run {
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.code, Some(0), "{}{}", self.out, self.err);
        assert!(!self.out.contains("NaN"), "{}", self.out);
        self
    }

    /// Failed with a message for a person, and nothing on standard output.
    #[track_caller]
    pub(crate) fn failed(self, code: i32, words: &[&str]) {
        assert_eq!(self.code, Some(code), "{}{}", self.out, self.err);
        assert!(self.out.is_empty(), "{}", self.out);
        for word in words {
            assert!(self.err.contains(word), "{word} is not in: {}", self.err);
        }
        for debug in ["Problem {", "ErrorKind", "Err(", "Error(", "Some(", "panicked"] {
            assert!(!self.err.contains(debug), "{}", self.err);
        }
    }
}

const NOTHING: [&str; 0] = [];

/// The arguments that name the four files of campaign 8's small extract.
fn campaign_8() -> Vec<String> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/complete_journey_small");
    let files = [("transactions", "transactions.csv.gz"), ("products", "products.csv.gz"), ("assignments", "assignments_c8.csv"), ("promotion", "c8.toml")];
    files.iter().flat_map(|(option, name)| [format!("--{option}"), data.join(name).display().to_string()]).collect()
}

#[test]
fn measure_without_arguments_gives_the_verdict_of_the_sample() {
    let run = run("measure", &NOTHING).ok();
    assert!(run.out.contains("Verdict: "), "{}", run.out);
    assert!(run.out.contains("senior-meat-10"), "{}", run.out);
    assert!(run.err.is_empty(), "{}", run.err);
}

#[test]
fn json_is_the_whole_of_standard_output() {
    let run = run("measure", &["--format", "json"]).ok();
    let json: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!((json["schema"].as_u64(), json["promotion"].as_str()), (Some(1), Some("senior-meat-10")));
    assert_eq!(json["estimator"], "regression_att");
}

#[test]
fn csv_has_one_row_an_effect_and_measure() {
    let run = run("measure", &["--format", "csv"]).ok();
    let mut reader = csv::Reader::from_reader(run.out.as_bytes());
    let header: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    for name in ["promotion", "estimator", "measure", "effect", "per_customer", "std_error", "ci_low", "ci_high", "total", "relative"] {
        assert!(header.iter().any(|h| h == name), "{name} in {header:?}");
    }
    let rows: Vec<csv::StringRecord> = reader.records().collect::<Result<_, _>>().unwrap();
    let at = |name: &str| header.iter().position(|h| h == name).unwrap();
    let total = rows.iter().find(|row| &row[at("measure")] == "net_sales" && &row[at("effect")] == "total").unwrap();
    assert!(total[at("per_customer")].parse::<f64>().is_ok_and(f64::is_finite));
}

#[test]
fn out_writes_one_file_and_leaves_no_half_one() {
    let folder = Folder::new();
    let run = run("measure", &["--format", "json", "--out", &folder.at("result.json")]).ok();
    assert!(run.out.is_empty(), "{}", run.out);
    assert_eq!(folder.names(), ["result.json"]);
    let json: Value = serde_json::from_str(&std::fs::read_to_string(folder.at("result.json")).unwrap()).unwrap();
    assert_eq!(json["schema"], 1);
}

#[test]
fn out_that_cannot_be_written_is_told_before_the_work_and_leaves_nothing() {
    let folder = Folder::new();
    for option in ["--out", "--report", "--weekly"] {
        run("measure", &[option, &folder.at("no/such/result.txt")]).failed(2, &[option, "result.txt", "is not there; create it"]);
        run("measure", &[option, &folder.at("")]).failed(2, &[option, "this is a folder"]);
        // Before the inputs are looked at.
        let arguments = [campaign_8(), ["--customers", "no/such.csv", option, "no/such/result.txt"].map(str::to_owned).to_vec()].concat();
        run("measure", &arguments).failed(2, &["create it"]);
    }
    assert!(folder.names().is_empty());
}

#[test]
fn no_output_overwrites_an_input_or_the_other_output() {
    let folder = Folder::new();
    let names = ["transactions.csv", "products.csv", "assignments.csv", "promotion.toml", "customers.csv"];
    let options = ["--transactions", "--products", "--assignments", "--promotion", "--customers"];
    names.iter().for_each(|name| std::fs::write(folder.at(name), name).unwrap());
    let inputs: Vec<String> = options.iter().zip(names).flat_map(|(option, name)| [(*option).to_owned(), folder.at(name)]).collect();
    let through = |name: &str| format!("{}/../{}/{name}", folder.0.display(), folder.0.file_name().unwrap().to_str().unwrap());
    for option in ["--out", "--report", "--weekly"] {
        for name in names {
            for path in [folder.at(name), through(name)] {
                let arguments = [inputs.clone(), vec![option.to_owned(), path]].concat();
                run("measure", &arguments).failed(2, &[option, "would overwrite a file that is read", name]);
            }
        }
    }
    let both = [inputs, vec!["--out".to_owned(), folder.at("page.html"), "--report".to_owned(), through("page.html")]].concat();
    run("measure", &both).failed(2, &["--out and --report are the same file", "page.html"]);
    names.iter().for_each(|name| assert_eq!(std::fs::read_to_string(folder.at(name)).unwrap(), *name));
    assert_eq!(folder.names().len(), names.len());
}

#[test]
fn weekly_writes_the_curves_beside_the_verdict() {
    let folder = Folder::new();
    let run = run("measure", &["--weekly", &folder.at("weeks.csv")]).ok();
    assert!(run.out.contains("Verdict: ") && run.err.contains("weeks.csv"), "{}", run.err);
    assert_eq!(folder.names(), ["weeks.csv"]);
    let mut reader = csv::Reader::from_path(folder.at("weeks.csv")).unwrap();
    let header: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let at = |name: &str| header.iter().position(|h| h == name).unwrap();
    let rows: Vec<csv::StringRecord> = reader.records().collect::<Result<_, _>>().unwrap();
    let total: Vec<&csv::StringRecord> = rows.iter().filter(|row| &row[at("measure")] == "net_sales" && &row[at("part")] == "total").collect();
    let first = total.iter().find(|row| &row[at("period")] == "promotion").unwrap();
    assert_eq!([&first[at("week")], &first[at("first_day")], &first[at("weights")]], ["1", "2024-05-06", "study"]);
    assert_eq!((&total[0][at("weights")], &total[0][at("cumulative")]), ("unadjusted", ""));
    assert!(total.iter().all(|row| row[at("value")].parse::<f64>().is_ok_and(f64::is_finite)));
    // By which week the gain was eaten, in a sentence and in rows of their own.
    assert!(run.err.contains("Net sales: at the end of the days followed up a part of the gain on the offer and its substitutes was left"), "{}", run.err);
    let payback: Vec<&csv::StringRecord> = rows.iter().filter(|row| &row[at("measure")] == "net_sales" && row[at("part")].starts_with("payback")).collect();
    assert_eq!(payback.len(), 3);
    assert!(payback.iter().all(|row| (&row[at("missing_reason")], &row[at("week")]) == ("not_within_windows", "")));
    assert!(rows.iter().all(|row| &row[at("conclusion")] == "experiment"));
}

#[test]
fn weekly_with_a_report_draws_the_weeks() {
    let folder = Folder::new();
    let page = |arguments: &[String]| {
        let outputs = ["--weekly".to_owned(), folder.at("weeks.csv"), "--report".to_owned(), folder.at("page.html")];
        let run = run("measure", &[arguments, &outputs[..]].concat()).ok();
        (std::fs::read_to_string(folder.at("page.html")).unwrap(), std::fs::read_to_string(folder.at("weeks.csv")).unwrap(), run.err)
    };
    let (sound, ..) = page(&[]);
    assert_eq!(sound.matches("<svg ").count(), 3);
    for text in
        ["<h2>Week by week</h2>", "Effect on net sales in each week, EUR per target customer", "before: unadjusted, no effects", "2024-05-06", "all products"]
    {
        assert!(sound.contains(text), "{text}");
    }
    // The bands of the chart stand in the table, the weeks before are labelled.
    for text in ["before, week 8, unadjusted", "promotion, week 4 (4 days)", "+0.69", "-0.11 .. 1.50", "NaN"] {
        assert_eq!(sound.contains(text), text != "NaN", "{text}");
    }
    let (refused, weeks, told) = page(&campaign_8());
    assert!(refused.contains("<h2>Differences week by week (arithmetic, not effects)</h2>"));
    assert!(refused.contains("Difference in net sales in each week") && !refused.contains("Effect on net sales in each week"));
    for text in [refused, weeks, told] {
        assert!(!text.to_lowercase().contains("incremental"));
        assert!(text.contains("refused"));
    }
}

#[test]
fn report_writes_one_page_that_needs_nothing_else() {
    let folder = Folder::new();
    let run = run("measure", &["--report", &folder.at("report.html")]).ok();
    assert!(run.out.contains("Verdict: ") && run.err.contains("report.html"), "{}", run.err);
    assert_eq!(folder.names(), ["report.html"]);
    let page = std::fs::read_to_string(folder.at("report.html")).unwrap();
    assert!(page.to_lowercase().starts_with("<!doctype html") && page.contains("<svg"), "{}", &page[..200]);
    for outside in ["<script", "<link", "src=\"", "href=\"http", "@import", "url(http", "NaN"] {
        assert!(!page.contains(outside), "{outside}");
    }
}

#[test]
fn help_mentions_every_option() {
    let help = run("measure", &["--help"]).ok().out;
    for option in ["transactions", "products", "assignments", "promotion", "customers", "estimator", "format", "out", "report", "help"] {
        assert!(help.contains(&format!("--{option}")), "{option} in {help}");
    }
    for word in ["text", "json", "csv", "regression_att", "Parquet", "Exit code"] {
        assert!(help.contains(word), "{word} in {help}");
    }
    assert!(run("simulate", &["--help"]).ok().out.contains("--seed"));
    assert!(run("complete_journey", &["--help"]).ok().out.contains("--campaign"));
}

#[test]
fn wrong_usage_ends_with_2() {
    run("measure", &["--colour", "red"]).failed(2, &["--colour"]);
    run("measure", &["--transactions", "tx.csv"]).failed(2, &["--products", "--assignments", "--promotion"]);
    run("measure", &["--format", "xml"]).failed(2, &["xml", "json"]);
    for example in ["measure", "complete_journey"] {
        let names = ["regression_att", "unadjusted", "regression", "cuped", "difference_in_differences"];
        run(example, &["--estimator", "regresion"]).failed(2, &[["'regresion'", "a similar value exists: 'regression'"].as_slice(), &names].concat());
        assert!(!run(example, &["--estimator", "regresion"]).err.contains("promotion"));
    }
    run("complete_journey", &["--campaign", "eight"]).failed(2, &["eight"]);
}

#[test]
fn input_that_cannot_be_measured_ends_with_1_and_names_the_file() {
    let mut arguments = campaign_8();
    arguments[1] = "no/such/lines.csv.gz".into();
    run("measure", &arguments).failed(1, &["transactions (no/such/lines.csv.gz): the file is not there", "Check the path"]);
    run("complete_journey", &["no/such/folder", "--campaign", "5"]).failed(1, &["c5.toml", "the file is not there"]);
    let folder = Folder::new();
    let mut arguments = campaign_8();
    std::fs::write(folder.at("bad.csv"), "product_id,product_category\n1,\"MEAT\n").unwrap();
    arguments[3] = folder.at("bad.csv");
    run("measure", &arguments).failed(1, &["bad.csv", "row 1", "quotation mark"]);
}

#[test]
fn a_refused_study_is_a_result_and_claims_no_cause() {
    let folder = Folder::new();
    let report = ["--report".to_owned(), folder.at("report.html")];
    let run = run("measure", &[campaign_8(), report.to_vec()].concat()).ok();
    assert!(run.out.contains("Verdict: REFUSED"), "{}", run.out);
    assert!(!run.out.to_lowercase().contains("incremental"), "{}", run.out);
    let page = std::fs::read_to_string(folder.at("report.html")).unwrap();
    assert!(page.contains("REFUSED") && !page.to_lowercase().contains("incremental"));
}

#[test]
fn the_estimator_of_the_command_line_wins() {
    let arguments = [campaign_8(), ["--estimator", "unadjusted", "--format", "json"].map(str::to_owned).to_vec()].concat();
    let json: Value = serde_json::from_str(&run("measure", &arguments).ok().out).unwrap();
    assert_eq!((&json["estimator"], &json["conclusion"]["kind"]), (&Value::from("unadjusted"), &Value::from("refused")));
}

#[test]
fn a_simulated_shop_is_read_back() {
    let folder = Folder::new();
    run("simulate", &["--seed", "7", "--customers", "400", "--out", &folder.0.display().to_string()]).ok();
    assert_eq!(folder.names(), ["assignments.csv", "products.csv", "promotion.toml", "transactions.csv.gz", "truth.json"]);
    let truth: Value = serde_json::from_str(&std::fs::read_to_string(folder.at("truth.json")).unwrap()).unwrap();
    assert!(truth.is_object());
    let files = [("transactions", "transactions.csv.gz"), ("products", "products.csv"), ("assignments", "assignments.csv"), ("promotion", "promotion.toml")];
    let mut arguments: Vec<String> = files.iter().flat_map(|(option, name)| [format!("--{option}"), folder.at(name)]).collect();
    arguments.extend(["--format".to_owned(), "json".to_owned()]);
    let json: Value = serde_json::from_str(&run("measure", &arguments).ok().out).unwrap();
    assert_eq!(json["arms"]["target"]["customers"].as_u64().unwrap() + json["arms"]["control"]["customers"].as_u64().unwrap(), 400);
    assert_eq!(json["lines"]["outside_assignment"], 0);
}

#[test]
fn complete_journey_says_why_the_answer_is_to_refuse() {
    let out = run("complete_journey", &NOTHING).ok().out;
    for words in ["campaign 8: 2017-05-08 to 2017-06-25", "The naive difference", "regression_att", "placebo (Fail)", "REFUSED, because of: "] {
        assert!(out.contains(words), "{words} is not in: {out}");
    }
    assert!(!out.to_lowercase().contains("incremental"), "{out}");
    assert!(run("complete_journey", &["--estimator", "difference_in_differences"]).ok().out.contains("difference_in_differences"));
}

/// The page in the docs is what the counts beside the example give.
#[test]
fn the_coverage_page_is_that_of_the_counts() {
    let page = run("coverage", &["--known", "--keep", "examples/coverage/counts.jsonl"]).ok().out;
    let shown = std::fs::read_to_string("src/simulate/coverage.md").unwrap();
    assert!(page == shown, "the page is not of the counts: see the head of examples/coverage/main.rs for the command that writes it");
}

/// Draws that were made are not made again: a longer run adds to them, one of the studies only leaves the others as they were, and the page is the same.
#[test]
fn coverage_goes_on_where_it_stopped() {
    let folder = Folder::new();
    let (kept, whole) = (folder.at("kept.jsonl"), folder.at("whole.jsonl"));
    let of = |file: &str, how: &[&str]| run("coverage", &[how, &["--only", "A few", "--keep", file]].concat()).ok().out.replace("--budget 1.2", "--known");
    let tables = |page: &str| page.split_once("# Summary").unwrap().1.to_owned();
    // What the file has of the first setting, by the draws it begins and ends with.
    let ranges = |file: &str, name: &str| -> Vec<(u64, u64)> {
        let text = std::fs::read_to_string(file).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).filter(|line| line[0].as_str().unwrap().ends_with(name));
        lines.map(|line| (line[1].as_u64().unwrap(), line[2].as_u64().unwrap())).collect()
    };
    let first = "unadjusted, 50/50, 20 customers";
    let short = of(&kept, &["--budget", "0.6"]);
    assert_eq!(ranges(&kept, first), [(0, 40)]);
    // A line that was cut off is made again.
    let lines = std::fs::read_to_string(&kept).unwrap();
    std::fs::write(&kept, &lines[..lines.len() - 40]).unwrap();
    let longer = of(&kept, &["--budget", "1.2"]);
    assert_ne!(tables(&short), tables(&longer));
    assert_eq!(ranges(&kept, first), [(0, 40), (40, 80)]);
    assert_eq!(longer, of(&whole, &["--budget", "1.2"]));
    let before = std::fs::read_to_string(&kept).unwrap();
    assert_eq!(tables(&of(&kept, &["--known"])), tables(&longer));
    // Nothing is lost by counting the studies anew at a smaller share: as many are made as there were, and the rest stays.
    of(&kept, &["--budget", "0.6", "--recount"]);
    assert!(std::fs::read_to_string(&kept).unwrap().starts_with(&before));
    assert_eq!(ranges(&kept, &format!("{first}, as studies")), [(0, 40), (40, 80), (0, 80)]);
    assert_eq!(ranges(&kept, first), [(0, 40), (40, 80)]);
    assert_eq!(tables(&of(&kept, &["--known"])), tables(&longer));
    // A shorter run makes nothing and shows all that is known; what was replaced is dropped.
    assert_eq!(tables(&of(&kept, &["--budget", "0.6"])), tables(&longer));
    assert_eq!(ranges(&kept, &format!("{first}, as studies")), [(0, 80)]);
    assert_eq!(ranges(&kept, first), [(0, 40), (40, 80)]);
    let error = run("coverage", &["--known", "--keep", &folder.at("none.jsonl")]).err;
    assert!(error.contains("none.jsonl"), "{error}");
    let error = run("coverage", &["--known"]).err;
    assert!(error.contains("--keep"), "{error}");
    std::fs::write(&kept, "[1]\n").unwrap();
    let error = run("coverage", &["--known", "--keep", &kept]).err;
    assert!(error.contains("kept.jsonl, line 1"), "{error}");
}
