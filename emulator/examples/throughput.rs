//! A benchmark: links per second that the emulator serves on one core. Run it with `just throughput`, in a release build.
//!
//! The server has one thread, the clients have others. Each connection links its own conversation, now to the account and now to the
//! contact, as `omnichannel-link` does: with the `ETag` of the last response as the condition, and with the row as the response.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::disallowed_methods, reason = "a benchmark takes real time")]

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use omnichannel_link_emulator::{Emulator, Organisation};
use serde_json::{Value, json};

const CONNECTIONS: usize = 16;
const SECONDS: u64 = 5;
const ROUNDS: usize = 3;
const ACCOUNT: &str = "0b7e4c0e-7d35-4a0c-a4e4-0f6d2a3c9e02";
const CONTACT: &str = "2d9f1c55-7b0a-4a9b-8f2e-0e4a7c1f9b10";
const CUSTOMER: &str = "msdyn_customer_msdyn_ocliveworkitem";

fn main() {
    let (started, start) = mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let emulator = Emulator::start(organisation(), 0).await.unwrap();
            started.send((emulator.url().to_owned(), emulator.credential().to_owned(), thread_cpu_path())).unwrap();
            std::future::pending::<()>().await;
        });
    });
    let (url, credential, cpu) = start.recv().unwrap();
    let address = url.strip_prefix("http://").unwrap().to_owned();
    let (links, ends) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    for connection in 0..CONNECTIONS {
        let (address, credential) = (address.clone(), credential.clone());
        let (links, ends) = (Arc::clone(&links), Arc::clone(&ends));
        thread::spawn(move || link(&address, &credential, connection, &links, &ends));
    }
    for round in 1..=ROUNDS {
        let (before, cpu_before) = (links.load(Ordering::Relaxed), cpu_seconds(&cpu));
        thread::sleep(Duration::from_secs(SECONDS));
        let done = links.load(Ordering::Relaxed) - before;
        let spent = cpu_seconds(&cpu) - cpu_before;
        #[expect(clippy::cast_precision_loss, reason = "far fewer links")]
        let per_link = spent * 1e6 / done as f64;
        println!(
            "round {round}: {} links/s, {per_link:.1} µs of the server's CPU per link, so {:.0} links/s with a core of its own",
            done / SECONDS,
            1e6 / per_link
        );
    }
    ends.store(true, Ordering::Relaxed);
}

fn organisation() -> Organisation {
    let page = |set: &str, rows: Value| json!({ "@odata.context": format!("x/$metadata#{set}"), "value": rows });
    let conversation = |number: usize| json!({ "activityid": id(number), "statuscode": 2, "subject": "Visitor" });
    let mut organisation = Organisation::new();
    for page in [
        page("accounts", json!([{ "accountid": ACCOUNT, "name": "Fabrikam Coffee" }])),
        page("contacts", json!([{ "contactid": CONTACT, "fullname": "A. Tester" }])),
        page("msdyn_ocliveworkitems", (0..CONNECTIONS).map(conversation).collect()),
    ] {
        organisation.load_page("page", &page).unwrap();
    }
    organisation
}

fn id(number: usize) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}

/// Links one conversation until the end.
fn link(address: &str, credential: &str, connection: usize, links: &AtomicU64, ends: &AtomicBool) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    let path = format!(
        "/api/data/v9.2/msdyn_ocliveworkitems({})?$select=statecode,statuscode,_msdyn_customer_value,_msdyn_issueid_value",
        id(connection)
    );
    let (mut condition, mut response) = ("*".to_owned(), vec![0; 16 * 1024]);
    for count in 0_usize.. {
        if ends.load(Ordering::Relaxed) {
            return;
        }
        let (table, target) =
            [("account", format!("/accounts({ACCOUNT})")), ("contact", format!("/contacts({CONTACT})"))][count % 2]
                .clone();
        let body = format!("{{\"{CUSTOMER}_{table}@odata.bind\":\"{target}\"}}");
        let request = format!(
            "PATCH {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {credential}\r\nAccept: application/json\r\n\
             OData-MaxVersion: 4.0\r\nOData-Version: 4.0\r\nContent-Type: application/json\r\nIf-Match: {condition}\r\n\
             Prefer: return=representation,odata.include-annotations=\"Microsoft.Dynamics.CRM.lookuplogicalname\"\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).unwrap();
        let length = stream.read(&mut response).unwrap();
        let text = std::str::from_utf8(&response[..length]).unwrap();
        assert!(text.starts_with("HTTP/1.1 200 "), "{text}");
        let etag = text.split_once("Etag: ").unwrap().1.split_once('\r').unwrap().0;
        etag.clone_into(&mut condition);
        links.fetch_add(1, Ordering::Relaxed);
    }
}

/// The file with the CPU time of this thread.
fn thread_cpu_path() -> String {
    let task = std::fs::read_link("/proc/thread-self").unwrap();
    format!("/proc/{}/schedstat", task.display())
}

fn cpu_seconds(path: &str) -> f64 {
    let text = std::fs::read_to_string(path).unwrap();
    let nanoseconds: f64 = text.split(' ').next().unwrap().parse().unwrap();
    nanoseconds / 1e9
}
