#!/usr/bin/env python3
"""Do the tests find what they are there for? Plants one bug after the other and demands that the named test fails.

    scripts/deliberate-bugs.py --target DIR [--only NAME ...]   clones the last commit, plants each bug there, runs its test
    scripts/deliberate-bugs.py --check                          only: is each text still found exactly once, and each test there

DIR is a target directory for the clone's builds; keep it from run to run, so that dependencies are built once. Each bug costs a build of the crate.
"""

import argparse
import atexit
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass
class Bug:
    name: str
    file: str
    old: str
    new: str
    test: str
    """module::function of the integration tests, or lib:path of a unit test."""


BUGS = [
    Bug(
        "one degree of freedom too many",
        "src/estimate/linear.rs",
        "self.n() as f64 - 1.0 - slopes as f64",
        "self.n() as f64 - slopes as f64",
        "estimators::the_default_is_the_controls_regression_read_at_the_targets_mean",
    ),
    Bug(
        "pooled variance in place of each arm's",
        "src/estimate/contrast.rs",
        "let parts: f64 = self.parts.iter().map(|part| part.variance(form)).sum();\n        parts + self.population_covariance(form, form).max(0.0)",
        "let all: f64 = self.parts.iter().map(|part| part.customers).sum();\n"
        "        let pooled = self.parts.iter().map(|part| part.variance(form) * part.customers * part.customers).sum::<f64>() / all;\n"
        "        let parts: f64 = self.parts.iter().map(|part| pooled / part.customers).sum();\n"
        "        parts + self.population_covariance(form, form).max(0.0)",
        "estimators::cuped_is_the_additive_least_squares",
    ),
    Bug(
        "a cell after the promotion left out",
        "src/effects.rs",
        '"forward_buying", vec![(Focal, Post), (Substitute, Post)]',
        '"forward_buying", vec![(Focal, Post)]',
        "additivity::parts_sum_to_the_total_under_every_estimator",
    ),
    Bug(
        "a cell after the promotion left out of the total",
        "src/effects.rs",
        "after.into_iter().flat_map(|p| Role::ALL.map(|role| (role, p))).collect()",
        "after.into_iter().flat_map(|p| Role::ALL.map(|role| (role, p))).filter(|cell| *cell != (Other, Post)).collect()",
        "additivity::parts_sum_to_the_total_under_every_estimator",
    ),
    Bug(
        "p as one less the distribution function",
        "src/estimate/distribution.rs",
        "let upper = TMasses::new(x.abs(), df).upper;\n    if x < 0.0 { 1.0 - upper } else { upper }",
        "let upper = TMasses::new(x.abs(), df).upper;\n    if x < 0.0 { 1.0 - upper } else { 1.0 - (1.0 - upper) }",
        "lib:estimate::distribution::tests::t_sf_matches_references",
    ),
    Bug(
        "a discount counted twice",
        "src/measure/amounts.rs",
        'let shelf_value = revenue.plus("shelf_value", 1.0, &discount);',
        'let shelf_value = revenue.plus("shelf_value", 2.0, &discount);',
        "plain_twin::random_shops_agree_with_the_twin",
    ),
    Bug(
        "a discount that the supplier pays counted as the retailer's gain twice",
        "src/profit/bridge.rs",
        'self.total(self.measure("supplier_paid")).plus(1.0, &self.total(self.measure("funding")))',
        'self.total(self.measure("supplier_paid")).times(2.0).plus(1.0, &self.total(self.measure("funding")))',
        "worked_example::a_discount_the_supplier_pays_is_paid_once",
    ),
    Bug(
        "the placebo with the study's own covariates",
        "src/validity/placebo.rs",
        "covariates(evidence, first, &in_half(1))",
        "covariates(evidence, first, &|atom: &Atom| atom.period == Period::Baseline)",
        "trust::the_placebo_sees_a_choice_that_the_studys_own_covariates_level_out",
    ),
    Bug(
        "the last day of the promotion left out",
        "src/study/windows.rs",
        "(Period::Promotion, start, end),",
        "(Period::Promotion, start, end - 1),",
        "plain_twin::random_shops_agree_with_the_twin",
    ),
    Bug(
        "the last day of the post window one too late",
        "src/study/windows.rs",
        "(Period::Post, end + 1, end + i64::from(promotion.post_days)),",
        "(Period::Post, end + 1, end + 1 + i64::from(promotion.post_days)),",
        "plain_twin::random_shops_agree_with_the_twin",
    ),
    Bug(
        "HC2 with the slack of HC3",
        "src/estimate/regression_att.rs",
        "_ => 1.0 / slack.sqrt(),",
        "_ => 1.0 / slack,",
        "estimators::the_default_is_the_controls_regression_read_at_the_targets_mean",
    ),
    Bug(
        "baskets of one part forgotten where ledgers are merged",
        "src/cells/table.rs",
        "self.baskets.iter_mut().zip(&other.baskets).for_each(|(a, b)| add(&mut a.baskets, &b.baskets));",
        "self.baskets.iter_mut().zip(&other.baskets).for_each(|(a, b)| a.baskets.clone_from(&b.baskets));",
        "identities::any_partition_of_the_ledger_merges_to_the_whole",
    ),
]


def found_once(bug: Bug, root: Path) -> str:
    text = (root / bug.file).read_text()
    count = text.count(bug.old)
    if count != 1:
        sys.exit(f"{bug.name}: the text to replace is found {count} times in {bug.file}, not once; bring scripts/deliberate-bugs.py up to date")
    return text.replace(bug.old, bug.new)


def test_is_there(bug: Bug) -> None:
    unit = bug.test.startswith("lib:")
    parts = bug.test.removeprefix("lib:").split("::")
    # Unit tests are in the file itself or in its own `tests.rs`.
    modules = [bug.file, f"{bug.file.removesuffix('.rs')}/tests.rs"] if unit else [f"tests/it/{parts[0]}.rs"]
    if not any(f"fn {parts[-1]}(" in (ROOT / module).read_text() for module in modules if (ROOT / module).exists()):
        sys.exit(f"{bug.name}: there is no test {bug.test} in {' or '.join(modules)}")


def run(test: str, clone: Path, target: Path) -> subprocess.CompletedProcess:
    unit = test.startswith("lib:")
    command = ["cargo", "test", "--locked", *(["--lib"] if unit else ["--test", "it"]), test.removeprefix("lib:"), "--", "--exact"]
    return subprocess.run(command, cwd=clone, env={**os.environ, "CARGO_TARGET_DIR": str(target)}, capture_output=True, text=True)


def passed(result: subprocess.CompletedProcess) -> bool:
    return result.returncode == 0 and "1 passed" in result.stdout


def failed(result: subprocess.CompletedProcess) -> bool:
    """The test ran and failed; that the crate does not compile proves nothing."""
    return result.returncode != 0 and "0 passed; 1 failed" in result.stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", type=Path)
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    bugs = [bug for bug in BUGS if not arguments.only or bug.name in arguments.only]
    for bug in bugs:
        found_once(bug, ROOT)
        test_is_there(bug)
    print(f"{len(bugs)} bugs: each text is found once, each test is there")
    if arguments.check:
        return
    if arguments.target is None:
        parser.error("give --target DIR, or --check")
    missed = []
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "clone"
        subprocess.run(["git", "clone", "--quiet", "--local", str(ROOT), str(clone)], check=True)
        target = arguments.target.resolve()
        # What the clone builds looks fresh to cargo in this tree too, where the target is shared.
        atexit.register(lambda: [(ROOT / file).touch() for file in ("src/lib.rs", "tests/it/main.rs")])
        for test in sorted({bug.test for bug in bugs}):
            result = run(test, clone, target)
            if not passed(result):
                sys.exit(f"{test} does not pass without a bug:\n{result.stdout[-3000:]}{result.stderr[-3000:]}")
        for bug in bugs:
            path = clone / bug.file
            sound = path.read_text()
            path.write_text(found_once(bug, clone))
            result = run(bug.test, clone, target)
            path.write_text(sound)
            found = failed(result)
            print(f"{'found ' if found else 'MISSED'}  {bug.name}  ({bug.test})", flush=True)
            if not found:
                missed.append(bug.name)
                print(f"{result.stdout[-2000:]}{result.stderr[-2000:]}")
    if missed:
        sys.exit(f"{len(missed)} of {len(bugs)} bugs were not found")


if __name__ == "__main__":
    main()
