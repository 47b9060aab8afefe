//! The report of an admission, as JSON, told a line a finding.

use hookbox_plugins::CaseReport;
use serde_json::Value;

/// What is wrong, a line each; nothing of a report that has no problems.
pub(super) fn lines(report: &Value) -> Vec<String> {
    let mut lines: Vec<String> = list(&report["problems"]).map(problem).collect();
    if let Some(message) = report["trial"]["message"].as_str() {
        lines.push(format!("[trial] {message}"));
    }
    for case in list(&report["cases"]).filter(|case| case["passed"] == false) {
        let differences = list(&case["differences"]).map(text).collect();
        lines.extend(failed_case(&text(&case["case"]), differences));
    }
    lines
}

/// A recorded case, as `check` tells it.
pub(super) fn case(report: &CaseReport) -> Vec<String> {
    if report.passed {
        return vec![format!("[passed] {}", report.case)];
    }
    failed_case(&report.case, report.differences.clone())
}

fn failed_case(name: &str, differences: Vec<String>) -> Vec<String> {
    let differences = differences.into_iter().map(|difference| format!("    {difference}"));
    std::iter::once(format!("[case] {name}")).chain(differences).collect()
}

/// As [`hookbox_sandbox::Problem`] words itself.
fn problem(problem: &Value) -> String {
    let mut line = format!("[{}] ", text(&problem["code"]));
    if let Some(interface) = problem["interface"].as_str() {
        line.push_str(interface);
        for (before, key) in [("#", "function"), (", ", "place")] {
            if let Some(part) = problem[key].as_str() {
                line.push_str(before);
                line.push_str(part);
            }
        }
        line.push_str(": ");
    }
    let [expected, found, help] = ["expected", "found", "help"].map(|key| text(&problem[key]));
    line.push_str(&format!("expected {expected}, found {found}. {help}"));
    line
}

/// A list's items; none of what is no list.
pub(super) fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// A text as it is, anything else as JSON.
pub(super) fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Lines with columns as wide as their widest cell.
pub(super) fn columns<const N: usize>(rows: &[[String; N]]) -> Vec<String> {
    let width = |at: usize| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |row: &[String; N]| {
        let cells: Vec<String> =
            row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_finding_is_a_line() {
        let report = json!({
            "problems": [
                {"code": "type-mismatch", "interface": "a:b/c", "function": "f", "place": "parameter url",
                 "expected": "string", "found": "u32", "help": "Build it again."},
                {"code": "not-wasm", "expected": "a component", "found": "text", "help": "Give the file."},
            ],
            "trial": {"message": "the plugin refuses its settings: no"},
            "cases": [
                {"case": "well", "passed": true, "differences": []},
                {"case": "badly", "passed": false, "differences": ["kwargs.url: expected 1, found 2"]},
            ],
        });
        let expected = [
            "[type-mismatch] a:b/c#f, parameter url: expected string, found u32. Build it again.",
            "[not-wasm] expected a component, found text. Give the file.",
            "[trial] the plugin refuses its settings: no",
            "[case] badly",
            "    kwargs.url: expected 1, found 2",
        ];
        assert_eq!(lines(&report), expected);
        assert_eq!(lines(&Value::Null), [""; 0]);
    }
}
