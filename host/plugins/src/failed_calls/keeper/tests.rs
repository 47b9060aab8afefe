#![allow(clippy::unwrap_used)]

use serde_json::json;

use super::super::file::tests::file;
use super::*;

/// No call here is as old as that.
const AGES: Duration = Duration::from_secs(1 << 40);

fn options(data: &Path, keep: usize, bytes: u64) -> FailedCallOptions {
    let (data, redaction) = (data.to_owned(), Redaction::default());
    FailedCallOptions { data, keep, bytes, age: AGES, redaction, plugins: None }
}

/// Sends a file to the writer, as [`FailedCalls::keep`] does.
fn send(keeper: &FailedCallKeeper, minute: i64, padding: usize) -> String {
    let mut file = file();
    file.kept_at = OffsetDateTime::UNIX_EPOCH + time::Duration::minutes(minute);
    file.arguments = json!({"n": minute, "padding": "x".repeat(padding)}).as_object().cloned().unwrap();
    let name = name(&file, keeper.0.counter.fetch_add(1, Ordering::Relaxed));
    let calls = lock(&keeper.0.queue).calls.clone().unwrap();
    calls.send((name.clone(), file)).unwrap();
    name
}

fn names(keeper: &FailedCallKeeper) -> Vec<String> {
    keeper.list().into_iter().map(|call| call.name).collect()
}

fn on_disk(data: &Path) -> usize {
    fs::read_dir(data.join("failed-calls")).unwrap().count()
}

#[test]
fn the_newest_are_kept_and_found_again_after_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let keeper = FailedCallKeeper::open(options(data.path(), 3, 1 << 20)).unwrap();
    let sent: Vec<String> = (0..5).map(|minute| send(&keeper, minute, 0)).collect();
    keeper.finish();
    let newest: Vec<String> = sent.iter().rev().take(3).cloned().collect();
    assert_eq!(names(&keeper), newest);
    assert_eq!(on_disk(data.path()), 3);
    assert_eq!(keeper.read(&sent[0]).unwrap(), None);
    let content = keeper.read(&sent[4]).unwrap().unwrap();
    assert_eq!(CallFile::parse(&content).unwrap().arguments["n"], 4);

    // A file that a crash left half written goes, one of somebody else's stays and is not listed.
    let folder = data.path().join("failed-calls");
    fs::write(folder.join(".keep-x.tmp"), "half").unwrap();
    fs::write(folder.join("notes.json"), "{}").unwrap();
    let again = FailedCallKeeper::open(options(data.path(), 2, 1 << 20)).unwrap();
    assert_eq!(names(&again), newest[..2]);
    assert_eq!(on_disk(data.path()), 3);
    again.finish();
}

#[test]
fn all_of_them_together_have_a_bound() {
    let data = tempfile::tempdir().unwrap();
    let keeper = FailedCallKeeper::open(options(data.path(), 100, 25_000)).unwrap();
    let sent: Vec<String> = (0..4).map(|minute| send(&keeper, minute, 10_000)).collect();
    keeper.finish();
    assert_eq!(names(&keeper), [sent[3].clone(), sent[2].clone()]);
}

#[test]
fn the_newest_stays_however_large_it_is_up_to_a_file_s_bound() {
    let data = tempfile::tempdir().unwrap();
    let keeper = FailedCallKeeper::open(options(data.path(), 100, 10)).unwrap();
    send(&keeper, 0, 100);
    let newest = send(&keeper, 1, 10_000);
    send(&keeper, 2, FILE_BYTES);
    keeper.finish();
    assert_eq!(names(&keeper), [newest]);
}

#[test]
fn what_is_old_goes() {
    let data = tempfile::tempdir().unwrap();
    let day = Duration::from_secs(24 * 60 * 60);
    let keeper =
        FailedCallKeeper::open(FailedCallOptions { age: day, ..options(data.path(), 9, 1 << 20) }).unwrap();
    keeper.finish();
    let keep = |hours: i64| {
        let mut file = file();
        file.kept_at = OffsetDateTime::UNIX_EPOCH + time::Duration::hours(hours);
        let name = name(&file, 0);
        keeper.0.write_one(&name, &file).unwrap();
        name
    };
    let (old, young) = (keep(1), keep(3));
    let at = |hours| OffsetDateTime::UNIX_EPOCH + time::Duration::hours(hours);
    keeper.0.prune(at(25));
    assert_eq!(names(&keeper), [young.clone(), old]);
    keeper.0.prune(at(26));
    assert_eq!(names(&keeper), [young]);
    assert_eq!(on_disk(data.path()), 1);
}

#[test]
fn a_name_is_no_path() {
    let data = tempfile::tempdir().unwrap();
    fs::write(data.path().join("secret"), "s").unwrap();
    let keeper = FailedCallKeeper::open(options(data.path(), 1, 10)).unwrap();
    for none in ["../secret", "", ".", "/etc/passwd", "x.json"] {
        assert_eq!(keeper.read(none).unwrap(), None, "{none}");
    }
    keeper.finish();
    let mut odd = file();
    odd.hook.hook_type = format!("../\u{1b}[2J/{}", "ä".repeat(300));
    let name = name(&odd, 7);
    assert!(name.starts_with("19700101T000000000Z-p-.._") && name.ends_with("-000007.json"), "{name}");
    assert!(name.len() < 200 && !name.contains('/') && name.is_ascii(), "{name}");
}

#[test]
fn only_so_many_a_second() {
    let mut queue = Queue::default();
    assert_eq!((0..1_000).filter(|_| queue.takes(7)).count(), A_SECOND as usize);
    assert!(queue.takes(8));
    assert!(queue.takes(7), "a clock that is set back begins another second");
}

#[test]
fn an_operator_chooses_the_plugins() {
    let data = tempfile::tempdir().unwrap();
    let some = FailedCallOptions { plugins: Some(vec!["a".into()]), ..options(data.path(), 1, 10) };
    let keeper = FailedCallKeeper::open(some).unwrap();
    assert!(keeper.wants("a") && !keeper.wants("b"));
    keeper.finish();
}
