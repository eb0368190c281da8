//! The emulator as a program. See `--help` for its use.

use std::{
    io::{self, BufRead, Write},
    process::ExitCode,
    thread,
};

use omnichannel_link_emulator::{Emulator, Organisation, json};
use serde_json::{Value, json};
use tokio::sync::oneshot;

const USAGE: &str = "\
Serves the part of the Dataverse Web API that omnichannel-link uses, on 127.0.0.1, over an organisation held in memory.

Usage: omnichannel-link-emulator [--port N] [--seed PATH]... [--stdin-seed]

  --port N         port to listen on; 0, the default, takes a free one
  --seed PATH      a file with one page of rows, as a GET of a set returns it, or a folder of such *.json files; repeatable
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
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
    let runtime = runtime.map_err(|error| Failure(1, format!("cannot start: {error}")))?;
    runtime.block_on(serve(organisation, flags))
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

async fn serve(organisation: Organisation, flags: Flags) -> Result<(), Failure> {
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
    if flags.stdin_seed {
        let (ended, end) = oneshot::channel::<()>();
        // Uses a thread, because only that can wait for stdin on every platform. The process ends without waiting for it.
        thread::spawn(move || {
            drop(io::copy(&mut io::stdin().lock(), &mut io::sink()));
            drop(ended);
        });
        drop(end.await);
        return Ok(());
    }
    std::future::pending().await
}

fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    let printed = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    printed.map_err(|error| Failure(1, format!("cannot write to stdout: {error}")))
}
