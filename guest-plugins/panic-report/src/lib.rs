//! Hands the text of a panic to the plugin's log.
//!
//! `wasm32-unknown-unknown` has no standard error, so without this a panic is a bare `unreachable` trap and its
//! message is lost.

use std::panic;
use std::sync::Once;

/// From now on, call `write` with the message and place of a panic, before the trap.
///
/// A component has no start-up code of its own, so each exported function calls this first. Only the first call in
/// an instance does anything.
///
/// `write` is a function pointer because each plugin has its own generated bindings for `wasi:logging`.
pub fn install(write: fn(&str)) {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| panic::set_hook(Box::new(move |info| write(&info.to_string()))));
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    static WRITTEN: Mutex<Vec<String>> = Mutex::new(Vec::new());

    #[test]
    fn the_text_has_the_message_and_the_place() {
        super::install(|text| WRITTEN.lock().unwrap().push(text.to_owned()));
        super::install(|_| unreachable!("only the first hook stays"));

        std::thread::spawn(|| panic!("out of {}", "cheese")).join().unwrap_err();

        let written = WRITTEN.lock().unwrap();
        assert_eq!(written.len(), 1);
        assert!(written[0].contains("panic-report/src/lib.rs:"), "{written:?}");
        assert!(written[0].ends_with("out of cheese"), "{written:?}");
    }
}
