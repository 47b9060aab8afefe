//! How much memory an input made the process use.

use std::fs;

/// Runs the work and tells by how many bytes the process was larger at its largest than before. `None` where the system
/// does not tell. What other threads use counts too.
pub fn peak_of<T>(work: impl FnOnce() -> T) -> (T, Option<u64>) {
    // Writing 5 makes the peak what is in use now (proc(5)).
    let begun = fs::write("/proc/self/clear_refs", "5").is_ok();
    let before = begun.then(peak).flatten();
    let done = work();
    let growth = before.and_then(|before| Some(peak()?.saturating_sub(before)));
    (done, growth)
}

fn peak() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1_024)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_back_counts_too() {
        let ((), growth) = peak_of(|| drop(std::hint::black_box(vec![1_u8; 64 << 20])));
        assert!(growth.is_none_or(|growth| growth >= 60 << 20), "{growth:?}");
    }
}
