//! What becomes of a request: mostly it is served, and otherwise everything that networks, gateways and servers do to one.

use crate::{
    rows::{Applied, Tick, Write, change, conversation_id},
    server::{Reply, Request},
    world::{CONVERSATIONS, World},
};

/// A write that reached the server.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) write: Write,
    /// Whether the response proves what became of it.
    pub(crate) is_proven: bool,
    /// When it was tried, and whether it was applied. A late one may never be.
    pub(crate) tried: Option<(Tick, Applied)>,
}

const ROW_NOT_FOUND: &str = "0x80040217";
const STALE: &str = "0x80060882";
const NO_PRIVILEGE: &str = "0x80040220";
const TOO_MANY: &str = "0x80072322";
const PAGE: &str = "<html>Welcome</html>";

/// Decides what becomes of a request that has arrived.
pub(crate) fn befall(world: &mut World, number: u64, request: &Request) {
    if request.is_write {
        befall_write(world, number, request);
    } else {
        befall_read(world, number, request);
    }
}

/// Decides what becomes of a request that its client has cancelled before anything else befell it.
pub(crate) fn outlive(world: &mut World, request: &Request) {
    if request.is_write {
        let index = arrive(world, request);
        if world.dice.percent(50) {
            world.late.push(index);
        }
        world.tell(|| format!("the write of call {} is cancelled", request.call));
    }
}

fn conversation(request: &Request) -> usize {
    let (_, rest) = request.path.split_once('(').unwrap();
    let id = rest.split(')').next().unwrap().parse().unwrap();
    (0..CONVERSATIONS).find(|index| conversation_id(*index) == id).unwrap()
}

/// Takes a write down, and says where.
fn arrive(world: &World, request: &Request) -> usize {
    let (slot, after) = change(&request.body).expect("the change of one slot");
    let condition = request.condition.clone().expect("a condition");
    let write = Write { conversation: conversation(request), call: request.call, condition, slot, after };
    let mut history = world.history();
    history.sent.push(Sent { write, is_proven: false, tried: None });
    history.sent.len() - 1
}

fn befall_read(world: &mut World, number: u64, request: &Request) {
    let row = response(200, "", &world.history().rows.json(conversation(request)));
    let (what, reply) = match world.dice.weighted(&[100, 4, 1, 2, 2, 3, 1]) {
        0 => ("served", Reply::Response(row)),
        1 => ("lost", Reply::Lost),
        2 => {
            world.tell(|| format!("the read of call {} hangs", request.call));
            return world.wire.hang(number);
        }
        3 => ("500", Reply::Response(fault(500, "", "0x80044150"))),
        4 => ("503", Reply::Response(fault(503, retry_after(world), ""))),
        5 => ("429", Reply::Response(fault(429, retry_after(world), TOO_MANY))),
        _ => ("a page", Reply::Response(response(200, "", PAGE))),
    };
    world.tell(|| format!("the read of call {}: {what}", request.call));
    world.wire.release(number, reply);
}

fn befall_write(world: &mut World, number: u64, request: &Request) {
    let index = arrive(world, request);
    // Whether the server carries out what is then said badly.
    let is_stored = world.dice.percent(50);
    let fate = world.dice.weighted(&[100, 4, 14, 5, 3, 4, 3, 3, 2, 2, 2]);
    let (what, reply) = match fate {
        0 | 1 => {
            let (applied, row) = serve(world, index, true);
            let reply = match applied {
                Applied::Yes if fate == 1 => response(204, "", ""),
                Applied::Yes => response(200, "", &row),
                Applied::Stale => fault(412, "", STALE),
                Applied::NoSuchRecord => fault(404, "", ROW_NOT_FOUND),
            };
            ("served", Reply::Response(reply))
        }
        3 => {
            world.late.push(index);
            ("lost, and late", Reply::Lost)
        }
        5 => ("429", Reply::Response(refused(world, index, 429, TOO_MANY))),
        6 => ("403", Reply::Response(refused(world, index, 403, NO_PRIVILEGE))),
        _ => {
            if is_stored {
                serve(world, index, false);
            }
            match fate {
                2 => ("lost", Reply::Lost),
                4 => ("hangs", Reply::Lost),
                7 => ("503", Reply::Response(fault(503, retry_after(world), ""))),
                8 => ("502 or 408", Reply::Response(response(world.dice.pick(&[502, 408]), "", PAGE))),
                9 => ("403, a page", Reply::Response(response(403, "", PAGE))),
                _ => ("200, a page", Reply::Response(response(200, "", PAGE))),
            }
        }
    };
    world.tell(|| {
        let Sent { write, tried, .. } = &world.history().sent[index];
        format!("the write of call {} on {}: {what}, {tried:?}", write.call, write.condition)
    });
    if what == "hangs" { world.wire.hang(number) } else { world.wire.release(number, reply) }
}

/// A late write arrives.
pub(crate) fn deliver(world: &mut World) {
    let which = world.dice.roll(world.late.len());
    let index = world.late.swap_remove(which);
    let (applied, _) = serve(world, index, false);
    world.tell(|| format!("the late write of call {}: {applied:?}", world.history().sent[index].write.call));
}

/// Carries a write out, and shows the row.
fn serve(world: &mut World, index: usize, is_proven: bool) -> (Applied, String) {
    let mut history = world.history.lock().unwrap();
    let write = history.sent[index].write.clone();
    let applied = history.rows.apply(&write, &mut world.dice);
    let now = history.rows.now;
    history.sent[index].is_proven = is_proven;
    history.sent[index].tried = Some((now, applied));
    (applied, history.rows.json(write.conversation))
}

fn refused(world: &mut World, index: usize, status: u16, code: &str) -> String {
    world.history().sent[index].is_proven = true;
    let pause = if status == 429 { retry_after(world) } else { "" };
    fault(status, pause, code)
}

fn retry_after(world: &mut World) -> &'static str {
    world.dice.pick(&["", "retry-after: 0\r\n", "retry-after: 1\r\n", "retry-after: 3\r\n"])
}

fn fault(status: u16, headers: &str, code: &str) -> String {
    response(status, headers, &format!(r#"{{"error":{{"code":"{code}","message":"So says the server"}}}}"#))
}

fn response(status: u16, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status} .\r\n{headers}content-length: {}\r\n\r\n{body}", body.len())
}
