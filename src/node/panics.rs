//! Panics, which end their call with `INTERNAL`.

use std::{
    panic,
    sync::{Mutex, Once},
};

use crate::{
    error::{Code, LinkError},
    sync::lock,
};

static LAST_PANIC: Mutex<Option<String>> = Mutex::new(None);

/// Records the location of every panic of this addon, for the error that is reported. Its message may hold data, so it is dropped,
/// and nothing is written to stderr, which is the host's. Other code in the process, Rust or not, has panic hooks of its own.
pub(super) fn install_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        panic::set_hook(Box::new(|panic| {
            let location = panic.location().map(|location| format!("{}:{}", location.file(), location.line()));
            *lock(&LAST_PANIC) = location;
        }));
    });
}

/// The error of a call that panicked. It may have written before.
pub(super) fn defect() -> LinkError {
    let location = lock(&LAST_PANIC).as_ref().map_or_else(String::new, |location| format!(" ({location})"));
    LinkError::new(
        Code::Internal,
        format!("A defect of omnichannel-link{location} stopped this call; please report it."),
    )
    .with(|details| details.maybe_applied = true)
}
