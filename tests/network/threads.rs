//! A process that the system refuses another thread, as `prlimit --nproc` or a container's limit does.

use omnichannel_link::http::{HttpError, HttpErrorKind, Inspector as _};
use tokio::runtime::{Builder, Runtime};

use crate::{Authority, get, service, trusting};

/// No system has this much room for a stack.
fn without_threads() -> Runtime {
    Builder::new_current_thread().enable_all().thread_stack_size(1 << 50).build().unwrap()
}

fn is_told(error: &HttpError) {
    assert_eq!(error.kind, HttpErrorKind::Connect, "{error}");
    assert!(!error.kind.may_have_been_sent() && !error.kind.is_configuration());
    assert!(error.message.contains("refuses this process another thread"), "{error}");
}

#[test]
fn a_refused_thread_is_no_connection_and_no_defect() {
    without_threads().block_on(async {
        let service = service(trusting(&Authority::new()));
        // To read what is trusted, and to look up a name.
        for url in ["https://127.0.0.1:9/", "http://localhost:9/"] {
            is_told(&get(&service, url).await.unwrap_err());
            is_told(&service.inspect(&url.parse().unwrap()).await.answer.unwrap_err());
        }
        is_told(&service.addresses_of(&"http://localhost:9/".parse().unwrap()).await.unwrap_err());
    });
}
