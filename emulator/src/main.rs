//! The emulator as a program. See `--help` for its use.

use std::{
    io::{self, BufRead, Write},
    pin::pin,
    process::ExitCode,
    thread,
    time::Duration,
};

use omnichannel_link_emulator::{Emulator, Organisation, StateFile, json, table};
use serde_json::{Value, json};
use tokio::sync::oneshot;

const USAGE: &str = "\
Serves the Dataverse Web API around Omnichannel conversations on 127.0.0.1, over an organisation in memory. Its URL in a browser is a console.

Usage: omnichannel-link-emulator [--port N] [--seed PATH]... [--state PATH] [--stdin-seed]

  --port N         port to listen on; 0, the default, takes a free one
  --seed PATH      a file with one page of rows, as a GET of a set returns it, or a folder of such *.json files; repeatable
  --webhook URL    an http address that is told of every change of a conversation, as a webhook of Dataverse is; repeatable
  --state PATH     a file that keeps the rows between runs; without one yet, the seeds are its beginning
  --stdin-seed     for programs that start this one: read a JSON array of pages from the first line of stdin, and end when stdin ends
  --tls            https, under a certificate authority that is created at every start
  --tls-host NAME  the same, with a certificate that is also valid for this host; repeatable
  --help           prints this text

Prints one line when it listens: {\"url\":\"http://127.0.0.1:<port>\",\"credential\":\"<bearer token>\",
\"application\":{\"tenantId\":\"…\",\"clientId\":\"…\",\"clientSecret\":\"…\"},\"caCertificate\":\"<PEM>\"}
With TLS the URL is https://localhost:<port>; without it caCertificate is null.
Exits with status 2 for an invalid flag or seed, 1 for any other failure.
";

/// Ends the program: the exit status, and one line for stderr.
struct Failure(u8, String);

#[derive(Default)]
struct Flags {
    port: u16,
    seeds: Vec<String>,
    webhooks: Vec<String>,
    state: Option<String>,
    /// Additional host names. `None`: no TLS.
    tls_hosts: Option<Vec<String>>,
    stdin_seed: bool,
    help: bool,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure(status, message)) => {
            // Nothing can be done about a closed stderr.
            drop(writeln!(io::stderr(), "omnichannel-link-emulator: {message}"));
            ExitCode::from(status)
        }
    }
}

fn run() -> Result<(), Failure> {
    let flags = parse(std::env::args_os().skip(1).map(|arg| arg.to_string_lossy().into_owned()))?;
    if flags.help {
        return print(USAGE);
    }
    let mut organisation = Organisation::new();
    for path in &flags.seeds {
        organisation.load_path(path.as_ref()).map_err(|error| Failure(2, error.to_string()))?;
    }
    if flags.stdin_seed {
        load_from_stdin(&mut organisation)?;
    }
    let state = flags.state.as_ref().map(|path| StateFile::open(path.as_ref(), &mut organisation));
    let state = state.transpose().map_err(|problem| Failure(2, format!("--state {problem}")))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure(1, format!("cannot start: {error}")))?;
    runtime.block_on(serve(organisation, flags, state))
}

fn parse(mut args: impl Iterator<Item = String>) -> Result<Flags, Failure> {
    let mut flags = Flags::default();
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| Failure(2, format!("{arg} needs a value; see --help")));
        match arg.as_str() {
            "--port" => {
                let port = value()?;
                flags.port = port.parse().map_err(|_| Failure(2, format!("--port {port} is not a port number")))?;
            }
            "--seed" => flags.seeds.push(value()?),
            "--webhook" => flags.webhooks.push(value()?),
            "--state" => flags.state = Some(value()?),
            "--stdin-seed" => flags.stdin_seed = true,
            "--tls" => drop(flags.tls_hosts.get_or_insert_default()),
            "--tls-host" => flags.tls_hosts.get_or_insert_default().push(value()?),
            "--help" => flags.help = true,
            other => return Err(Failure(2, format!("unknown argument '{other}'; see --help"))),
        }
    }
    Ok(flags)
}

fn load_from_stdin(organisation: &mut Organisation) -> Result<(), Failure> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).map_err(|error| Failure(1, format!("cannot read stdin: {error}")))?;
    let not_an_array =
        |error: serde_json::Error| Failure(2, format!("the first line of stdin is not an array: {error}"));
    let pages = json::parse(line.as_bytes()).and_then(serde_json::from_value::<Vec<Value>>).map_err(not_an_array)?;
    for (index, page) in pages.iter().enumerate() {
        let source = format!("seed page {}", index + 1);
        organisation.load_page(&source, page).map_err(|error| Failure(2, error.to_string()))?;
    }
    Ok(())
}

async fn serve(organisation: Organisation, flags: Flags, state: Option<StateFile>) -> Result<(), Failure> {
    let port = flags.port;
    let started = match &flags.tls_hosts {
        None => Emulator::start(organisation, port).await,
        Some(hosts) => {
            let hosts: Vec<_> = hosts.iter().map(String::as_str).collect();
            Emulator::start_tls(organisation, port, &hosts).await
        }
    };
    let emulator = started.map_err(|error| match error.kind() {
        io::ErrorKind::InvalidInput => Failure(2, error.to_string()),
        _ => Failure(1, format!("cannot listen on 127.0.0.1:{port}: {error}")),
    })?;
    let webhook = |url: &String| json!({ "url": url, "table": table::CONVERSATION });
    let webhooks = emulator.webhooks().set(flags.webhooks.iter().map(webhook).collect::<Value>());
    webhooks.map_err(|error| Failure(2, format!("--webhook: {error}")))?;
    let application = emulator.application();
    let started = json!({
        "url": emulator.url(),
        "credential": emulator.credential(),
        "application": {
            "tenantId": application.tenant_id,
            "clientId": application.client_id,
            "clientSecret": application.client_secret,
        },
        "caCertificate": emulator.ca_certificate(),
    });
    print(&format!("{started}\n"))?;
    let (ended, end) = oneshot::channel::<()>();
    if flags.stdin_seed {
        // Uses a thread, because only that can wait for stdin on every platform. The process ends without waiting for it.
        thread::spawn(move || {
            drop(io::copy(&mut io::stdin().lock(), &mut io::sink()));
            drop(ended);
        });
    } else {
        // Without stdin, only a signal ends it.
        std::mem::forget(ended);
    }
    let Some(state) = state else {
        drop(end.await);
        return Ok(());
    };
    keep(state, &emulator, end).await
}

/// Writes the state every second, and at the end: that of stdin, or a signal.
async fn keep(mut state: StateFile, emulator: &Emulator, end: oneshot::Receiver<()>) -> Result<(), Failure> {
    let mut end = pin!(end);
    let mut signal = pin!(signal());
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    loop {
        let status = tokio::select! {
            _ = seconds.tick() => None,
            _ = &mut end => Some(0),
            status = &mut signal => Some(status),
        };
        state.save(emulator).map_err(|error| Failure(1, format!("cannot write the state: {error}")))?;
        match status {
            None => {}
            Some(0) => return Ok(()),
            Some(status) => return Err(Failure(status, "stopped; the state is saved".to_owned())),
        }
    }
}

/// Waits for a signal to end, and returns the exit status that a shell expects after it.
#[cfg(unix)]
async fn signal() -> u8 {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminated) = signal(SignalKind::terminate()) else { return std::future::pending().await };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => 130,
        _ = terminated.recv() => 143,
    }
}

#[cfg(not(unix))]
async fn signal() -> u8 {
    drop(tokio::signal::ctrl_c().await);
    130
}

fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    let printed = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    printed.map_err(|error| Failure(1, format!("cannot write to stdout: {error}")))
}
