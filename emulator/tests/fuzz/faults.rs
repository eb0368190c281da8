//! Requests under injected faults, where responses may be cut, late or missing, but nothing may break.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    http::{Connection, Lost, Message},
    mutate,
    random::Random,
    run::Run,
};

/// Time after which a response counts as held back. If it is only late, nothing is lost: it is waited for again.
const HELD_BACK: Duration = Duration::from_millis(20);

/// Faults and conditions for a few requests.
pub(crate) fn episode(run: &mut Run) {
    for _ in 0..=run.random.below(3) {
        let (method, argument) = argument(&mut run.random);
        let mut body = argument.to_string().into_bytes();
        if run.random.one_in(4) {
            body = mutate::in_bytes(&mut run.random, &body);
        }
        send(run, &Message { body, ..Message::new("POST", format!("/_emulator/{method}")) });
    }
    for _ in 0..run.random.below(12) {
        let mut message = run.made().message;
        mutate::make_sendable(&mut message);
        send(run, &message);
    }
    run.world.emulator.faults().clear();
    send(run, &Message::new("POST", "/_emulator/webhooks.set").json(&json!([])));
}

/// Sends a request that may get any response, or none.
fn send(run: &mut Run, message: &Message) {
    let bytes = message.bytes(&run.world.host, run.world.emulator.credential());
    let mut connection = Connection::open(run.world.address);
    connection.send(&bytes);
    for _ in 0..1500 {
        match connection.receive(&message.method, HELD_BACK) {
            Err(Lost::Silent) => run.world.emulator.faults().release(),
            Err(Lost::Malformed(what)) => {
                run.fail(&format!("no HTTP: {what}"), &bytes);
                break;
            }
            _ => break,
        }
    }
    run.find_panics(&bytes);
}

fn number(random: &mut Random) -> Value {
    match random.below(12) {
        0 => json!(u64::MAX),
        1 => json!(i64::MAX),
        2 => json!(u64::MAX - 1),
        3 => json!(-1),
        4 => json!(1e300),
        5 => json!(253_402_300_800_000_u64),
        _ => json!(random.below(4)),
    }
}

fn argument(random: &mut Random) -> (&'static str, Value) {
    let names = ["account", "contact", "msdyn_ocliveworkitem", "x"];
    match random.below(9) {
        8 => {
            // Nothing listens there.
            let url = random.word(&["http://127.0.0.1:1/", "http://", "https://x", "http://a b"]);
            let messages: Vec<_> = (0..random.below(3)).map(|_| random.word(&["Create", "Update", "Delete"])).collect();
            let table = random.word(&names);
            (
                "webhooks.set",
                json!([{ "url": url, "table": table, "messages": messages, "attributes": [random.word(&["name", "x"])] }, { "url": url }]),
            )
        }
        0..=2 => {
            let rules: Vec<_> = (0..=random.below(3)).map(|_| rule(random)).collect();
            ("faults.add", rules.into())
        }
        3 => {
            let faults: Vec<_> = (0..random.below(4)).map(|_| fault(random)).collect();
            (
                "faults.random",
                json!({ "seed": number(random), "rate": random.word(&["0", "1", "0.5", "2"]).parse::<f64>().unwrap(), "faults": faults }),
            )
        }
        4..=6 => {
            let mut conditions = json!({});
            for _ in 0..=random.below(4) {
                let (name, value) = match random.below(14) {
                    0 => ("concurrencyOff", json!([random.word(&names)])),
                    1 => ("limits", json!({ "requests": number(random), "windowInMs": number(random) })),
                    2 => ("limits", json!({ "executionTimeInMs": number(random), "concurrent": number(random) })),
                    3 => ("executionTimePerRequestInMs", number(random)),
                    4 => ("unprivilegedCallers", json!([random.uuid()])),
                    5 => ("tokenLifetimeInSeconds", number(random)),
                    6 => ("secretExpired", json!(true)),
                    7 => ("refHonoursIfMatch", json!(false)),
                    8 => ("twoValuesForOneLookup", json!(random.word(&["first", "last", "refuse", "x"]))),
                    9 => (
                        "alternateKeys",
                        json!({ random.word(&names): [random.word(&["name", "accountnumber,name", "", "a,a", "_parentaccountid_value"])] }),
                    ),
                    10 => ("hiddenRelationships", json!([random.word(&["account_parent_account", "x"])])),
                    11 => ("missingPrivileges", json!([random.word(&["prvReadAccount", "prvWriteContact", "x"])])),
                    12 => ("batchNeedsCrlf", json!(true)),
                    _ => ("dateInMs", number(random)),
                };
                conditions[name] = value;
            }
            ("faults.conditions", conditions)
        }
        _ => ("clock.advance", json!({ "byInMs": number(random) })),
    }
}

fn rule(random: &mut Random) -> Value {
    let mut rule = json!({ "fault": fault(random) });
    if random.one_in(2) {
        rule["times"] = if random.one_in(4) { "always".into() } else { number(random) };
    }
    match random.below(6) {
        0 => rule["on"] = json!({ "method": random.word(&["GET", "PATCH", "patch", "X"]) }),
        1 => rule["on"] = json!({ "path": random.word(&["accounts", "", "%"]), "nth": number(random) }),
        2 => rule["on"] = json!({ "every": number(random) }),
        3 => rule["on"] = json!({ "conversation": random.uuid() }),
        _ => {}
    }
    rule
}

fn fault(random: &mut Random) -> Value {
    let commit = random.one_in(2);
    match random.below(14) {
        0 => {
            json!({ "kind": "status", "status": random.word(&["200", "204", "304", "500", "503", "599", "100", "600"]).parse::<u16>().unwrap(), "commit": commit, "body": random.word(&["json", "html", "empty"]) })
        }
        1 => {
            json!({ "kind": "status", "status": 503, "headers": { random.word(&["Retry-After", "content-length", "x y", "connection"]): random.word(&["1", "", "\r\n", "close"]) } })
        }
        2 => {
            json!({ "kind": "redirect", "location": random.word(&["/x", "", "\n"]), "status": 300 + random.below(110) })
        }
        3 => json!({ "kind": "unauthorized" }),
        4 => {
            json!({ "kind": "throttle", "limit": random.word(&["requests", "executionTime", "concurrency"]), "retryAfterInSeconds": number(random) })
        }
        5 => json!({ "kind": "drop", "commit": commit }),
        6 => json!({ "kind": "hang", "commit": commit }),
        7 => json!({ "kind": "hangInBody", "afterBytes": number(random) }),
        8 => json!({ "kind": "truncate", "afterBytes": number(random) }),
        9 => json!({ "kind": "trickle", "bytesAtOnce": number(random) }),
        10 => json!({ "kind": "endless" }),
        11 => json!({ "kind": "contentType", "contentType": random.word(&["text/html", "", "\r"]) }),
        12 => {
            json!({ "kind": "writer", "when": random.word(&["before", "after"]), "changes": { "subject": "x", "statuscode": number(random) }, "delete": commit })
        }
        _ => json!({ "kind": "notStored" }),
    }
}
