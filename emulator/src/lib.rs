//! A local server that speaks the Dataverse Web API around Omnichannel conversations, over an organisation held in memory.
//!
//! Its responses come from Microsoft's documentation and from observed traffic, not from the needs of a client, and it shares no type with
//! any client. An unsupported request gets a 501 that names it.
//!
//! ```
//! use omnichannel_link_emulator::{Emulator, Organisation, table};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut organisation = Organisation::new();
//! organisation.load_page(
//!     "accounts",
//!     &serde_json::json!({
//!         "@odata.context": "https://contoso.crm4.dynamics.com/api/data/v9.2/$metadata#accounts",
//!         "value": [{ "accountid": "0b7e4c0e-7d35-4a0c-a4e4-0f6d2a3c9e02", "name": "Fabrikam Coffee" }],
//!     }),
//! )?;
//! let emulator = Emulator::start(organisation, 0).await?;
//! assert!(emulator.url().starts_with("http://127.0.0.1:"));
//! assert_eq!(emulator.with_organisation(|o| o.ids(table::ACCOUNT).count()), 1);
//! # Ok(())
//! # }
//! ```

mod api;
mod authority;
mod conditions;
mod console;
mod contents;
mod definitions;
mod error;
mod faults;
pub mod json;
mod log;
mod message;
mod organisation;
mod prefer;
mod state;
mod state_file;
pub mod table;
mod test_api;
mod transport;
mod webhooks;

pub use authority::token::Application;
pub use faults::FaultError;
pub use log::LoggedRequest;
pub use organisation::{Changes, Organisation, Reference, Row, SeedError};
pub use state_file::StateFile;
pub use test_api::{Clock, Faults, Webhooks};
pub use transport::server::Emulator;
