//! What a panic leaves behind: its place, for the report. Not its message, which may hold data; and nothing on stderr, which
//! is the host's.

use std::{
    panic,
    sync::{Mutex, Once, PoisonError},
};

static LAST: Mutex<Option<String>> = Mutex::new(None);

/// Notes the place of every panic of this addon. The host's other code, Rust or not, has hooks of its own.
pub(super) fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        panic::set_hook(Box::new(|panic| {
            let place = panic.location().map(|location| format!("{}:{}", location.file(), location.line()));
            *LAST.lock().unwrap_or_else(PoisonError::into_inner) = place;
        }));
    });
}

/// Where the last panic was.
pub(super) fn last_location() -> Option<String> {
    LAST.lock().unwrap_or_else(PoisonError::into_inner).clone()
}
