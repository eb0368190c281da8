//! Tells cargo how an addon is linked, and nothing else.
fn main() {
    napi_build::setup();
}
