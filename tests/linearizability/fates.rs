//! The fate of each request. Most are served; the others meet every fault of networks, gateways and servers.

use crate::{
    rows::{Applied, Tick, Write, change, conversation_id},
    run::{CONVERSATIONS, Run},
    server::{Reply, Request},
};

/// A write that reached the server.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) write: Write,
    /// Whether the response proves that it was applied or that it was not.
    pub(crate) is_proven: bool,
    /// When the server processed it, and the result. A late write may never arrive.
    pub(crate) tried: Option<(Tick, Applied)>,
}

const ROW_NOT_FOUND: &str = "0x80040217";
const STALE: &str = "0x80060882";
const NO_PRIVILEGE: &str = "0x80040220";
const TOO_MANY: &str = "0x80072322";
const PAGE: &str = "<html>Welcome</html>";

/// Decides the fate of a request that has arrived.
pub(crate) fn decide(run: &mut Run, number: u64, request: &Request) {
    if request.is_write {
        decide_write(run, number, request);
    } else {
        decide_read(run, number, request);
    }
}

/// Decides the fate of a request that its client has cancelled before it was served.
pub(crate) fn client_cancelled(run: &mut Run, request: &Request) {
    if request.is_write {
        let index = arrive(run, request);
        if run.dice.percent(50) {
            run.late.push(index);
        }
        run.log(|| format!("the write of call {} is cancelled", request.call));
    }
}

fn conversation(request: &Request) -> usize {
    let (_, rest) = request.path.split_once('(').unwrap();
    let id = rest.split(')').next().unwrap().parse().unwrap();
    (0..CONVERSATIONS).find(|index| conversation_id(*index) == id).unwrap()
}

/// Records a write and returns its index.
fn arrive(run: &Run, request: &Request) -> usize {
    let (slot, after) = change(&request.body).expect("the change of one slot");
    let condition = request.condition.clone().expect("a condition");
    let write = Write { conversation: conversation(request), call: request.call, condition, slot, after };
    let mut history = run.history();
    history.sent.push(Sent { write, is_proven: false, tried: None });
    history.sent.len() - 1
}

fn decide_read(run: &mut Run, number: u64, request: &Request) {
    let row = response(200, "", &run.history().rows.json(conversation(request)));
    let (what, reply) = match run.dice.weighted(&[100, 4, 1, 2, 2, 3, 1]) {
        0 => ("served", Reply::Response(row)),
        1 => ("lost", Reply::Lost),
        2 => {
            run.log(|| format!("the read of call {} hangs", request.call));
            return run.wire.hang(number);
        }
        3 => ("500", Reply::Response(fault(500, "", "0x80044150"))),
        4 => ("503", Reply::Response(fault(503, retry_after(run), ""))),
        5 => ("429", Reply::Response(fault(429, retry_after(run), TOO_MANY))),
        _ => ("a page", Reply::Response(response(200, "", PAGE))),
    };
    run.log(|| format!("the read of call {}: {what}", request.call));
    run.wire.release(number, reply);
}

fn decide_write(run: &mut Run, number: u64, request: &Request) {
    let index = arrive(run, request);
    // Whether the server applies the write although its response is faulty.
    let is_stored = run.dice.percent(50);
    let fate = run.dice.weighted(&[100, 4, 14, 5, 3, 4, 3, 3, 2, 2, 2]);
    let (what, reply) = match fate {
        0 | 1 => {
            let (applied, row) = serve(run, index, true);
            let reply = match applied {
                Applied::Yes if fate == 1 => response(204, "", ""),
                Applied::Yes => response(200, "", &row),
                Applied::Stale => fault(412, "", STALE),
                Applied::NoSuchRecord => fault(404, "", ROW_NOT_FOUND),
            };
            ("served", Reply::Response(reply))
        }
        3 => {
            run.late.push(index);
            ("lost, and late", Reply::Lost)
        }
        5 => ("429", Reply::Response(refused(run, index, 429, TOO_MANY))),
        6 => ("403", Reply::Response(refused(run, index, 403, NO_PRIVILEGE))),
        _ => {
            if is_stored {
                serve(run, index, false);
            }
            match fate {
                2 => ("lost", Reply::Lost),
                4 => ("hangs", Reply::Lost),
                7 => ("503", Reply::Response(fault(503, retry_after(run), ""))),
                8 => ("502 or 408", Reply::Response(response(run.dice.pick(&[502, 408]), "", PAGE))),
                9 => ("403, a page", Reply::Response(response(403, "", PAGE))),
                _ => ("200, a page", Reply::Response(response(200, "", PAGE))),
            }
        }
    };
    run.log(|| {
        let Sent { write, tried, .. } = &run.history().sent[index];
        format!("the write of call {} on {}: {what}, {tried:?}", write.call, write.condition)
    });
    if what == "hangs" { run.wire.hang(number) } else { run.wire.release(number, reply) }
}

/// A late write arrives.
pub(crate) fn deliver(run: &mut Run) {
    let which = run.dice.roll(run.late.len());
    let index = run.late.swap_remove(which);
    let (applied, _) = serve(run, index, false);
    run.log(|| format!("the late write of call {}: {applied:?}", run.history().sent[index].write.call));
}

/// Applies a write and returns the row.
fn serve(run: &mut Run, index: usize, is_proven: bool) -> (Applied, String) {
    let mut history = run.history.lock().unwrap();
    let write = history.sent[index].write.clone();
    let applied = history.rows.apply(&write, &mut run.dice);
    let now = history.rows.now;
    history.sent[index].is_proven = is_proven;
    history.sent[index].tried = Some((now, applied));
    (applied, history.rows.json(write.conversation))
}

fn refused(run: &mut Run, index: usize, status: u16, code: &str) -> String {
    run.history().sent[index].is_proven = true;
    let pause = if status == 429 { retry_after(run) } else { "" };
    fault(status, pause, code)
}

fn retry_after(run: &mut Run) -> &'static str {
    run.dice.pick(&["", "retry-after: 0\r\n", "retry-after: 1\r\n", "retry-after: 3\r\n"])
}

fn fault(status: u16, headers: &str, code: &str) -> String {
    response(status, headers, &format!(r#"{{"error":{{"code":"{code}","message":"A message of the server"}}}}"#))
}

fn response(status: u16, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status} .\r\n{headers}content-length: {}\r\n\r\n{body}", body.len())
}
