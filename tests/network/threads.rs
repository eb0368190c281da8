//! A system that refuses the process another thread, because of `prlimit --nproc` or a container's limit.

use omnichannel_link::http::{HttpError, HttpErrorKind};
use tokio::runtime::{Builder, Runtime};

use crate::{Authority, get, service, trusting};

/// No system has enough memory for this stack.
fn without_threads() -> Runtime {
    Builder::new_current_thread().enable_all().thread_stack_size(1 << 50).build().unwrap()
}

fn assert_no_thread(error: &HttpError) {
    assert_eq!(error.kind, HttpErrorKind::Connect, "{error}");
    assert!(!error.kind.may_have_been_sent() && !error.kind.is_configuration());
    assert!(error.message.contains("refuses this process another thread"), "{error}");
}

#[test]
fn a_missing_thread_is_a_connection_error_and_not_a_panic() {
    without_threads().block_on(async {
        let service = service(trusting(&Authority::new()));
        // Reading trusted certificates needs a thread, and so does resolving a name.
        for url in ["https://127.0.0.1:9/", "http://localhost:9/"] {
            assert_no_thread(&get(&service, url).await.unwrap_err());
            assert_no_thread(&service.inspect(&url.parse().unwrap()).await.version.unwrap_err());
        }
        assert_no_thread(&service.addresses_of(&"http://localhost:9/".parse().unwrap()).await.unwrap_err());
    });
}
