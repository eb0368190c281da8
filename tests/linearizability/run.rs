//! One run: two clients, another writer and the fate of each request, all drawn from a seed.

use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use omnichannel_link::{
    dataverse::{DataverseOptions, DataverseStore},
    domain::{CallOptions, LinkService},
    http::{NetworkOptions, NetworkService, NoopObserver, Proxy, StaticToken, Token},
};
use tokio::{net::TcpListener, task::AbortHandle};

use crate::{
    calls::{Call, End, Kind},
    dice::Dice,
    fates::{self, Sent},
    rows::{Rows, conversation_id},
    server::{NumberedHttp, Wire},
    support::clock::TestClock,
};

const CLIENTS: usize = 2;
pub(crate) const CONVERSATIONS: usize = 3;
/// Most calls in flight.
const MOST_AT_ONCE: usize = 4;

/// The history of a run.
#[derive(Debug)]
pub(crate) struct History {
    pub(crate) rows: Rows,
    pub(crate) calls: Vec<Call>,
    pub(crate) sent: Vec<Sent>,
}

pub(crate) struct Run {
    pub(crate) wire: Arc<Wire>,
    pub(crate) history: Arc<Mutex<History>>,
    clients: Vec<LinkService>,
    clock: Arc<TestClock>,
    pub(crate) dice: Dice,
    running: Vec<(usize, AbortHandle)>,
    /// Writes still in flight although their clients lost or cancelled them.
    pub(crate) late: Vec<usize>,
    is_verbose: bool,
}

impl Run {
    /// Makes this many calls and returns their history. `is_verbose` prints the events.
    #[expect(clippy::print_stderr, reason = "a replay prints its events")]
    pub(crate) async fn run(seed: u64, calls: usize, is_verbose: bool) -> History {
        let mut run = Self::new(seed, is_verbose);
        let server = {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            run.clients = (0..CLIENTS).map(|_| run.client(&format!("http://{address}"))).collect();
            tokio::spawn(Arc::clone(&run.wire).serve(listener))
        };
        while run.step(calls).await {}
        server.abort();
        let mut history = run.history();
        let (rows, calls, sent) = (history.rows.clone(), std::mem::take(&mut history.calls), history.sent.clone());
        if is_verbose {
            for (index, call) in calls.iter().enumerate() {
                eprintln!("call {index}: {call:?}");
            }
        }
        History { rows, calls, sent }
    }

    fn new(seed: u64, is_verbose: bool) -> Self {
        let mut dice = Dice::new(seed);
        let rows = Rows::new(CONVERSATIONS, &mut dice);
        let history = Arc::new(Mutex::new(History { rows, calls: Vec::new(), sent: Vec::new() }));
        let (wire, clock) = (Arc::<Wire>::default(), Arc::new(TestClock::manual()));
        let (clients, running, late) = (Vec::new(), Vec::new(), Vec::new());
        Self { wire, history, clients, clock, dice, running, late, is_verbose }
    }

    fn client(&self, url: &str) -> LinkService {
        let options = NetworkOptions { proxy: Proxy::Direct, ..NetworkOptions::default() };
        let network = NetworkService::new(options, self.clock.clone());
        let wire = Arc::new(NumberedHttp { network, wire: Arc::clone(&self.wire) });
        let tokens = Arc::new(StaticToken(Token::new("token").unwrap()));
        let (options, clock) = (DataverseOptions::default(), self.clock.clone());
        let store = DataverseStore::new(url.parse().unwrap(), wire, tokens, options, clock, Arc::new(NoopObserver));
        LinkService::new(Arc::new(store), self.clock.clone(), Duration::from_secs(30), None)
    }

    pub(crate) fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap()
    }

    #[expect(clippy::print_stderr, reason = "a replay prints its events")]
    pub(crate) fn log(&self, what: impl FnOnce() -> String) {
        if self.is_verbose {
            let now = self.history().rows.now;
            eprintln!("{now}: {}", what());
        }
    }

    /// Makes one event happen. Returns false when all calls are over.
    async fn step(&mut self, calls: usize) -> bool {
        self.wire.is_idle().await;
        for request in self.wire.cancelled() {
            fates::client_cancelled(self, &request);
        }
        self.running.retain(|(_, task)| !task.is_finished());
        let (begun, held) = (self.history().calls.len(), self.wire.held());
        if begun == calls && self.running.is_empty() && self.late.is_empty() {
            return false;
        }
        let (is_waiting, if_any) = (!self.running.is_empty(), |there: bool, weight| if there { weight } else { 0 });
        let weights = [
            if_any(begun < calls && self.running.len() < MOST_AT_ONCE, 40),
            if_any(!held.is_empty(), 100),
            12,
            if_any(!self.late.is_empty(), 10),
            // Deadlines mostly pass when every call waits for time only.
            if_any(is_waiting, if held.is_empty() { 60 } else { 2 }),
            if_any(is_waiting, 1),
        ];
        match self.dice.weighted(&weights) {
            0 => self.begin(begun),
            1 => {
                let (number, request) = held[self.dice.roll(held.len())].clone();
                fates::decide(self, number, &request);
            }
            2 => {
                let conversation = self.dice.roll(CONVERSATIONS);
                let what = self.history.lock().unwrap().rows.other_write(conversation, &mut self.dice);
                self.log(|| what);
            }
            3 => fates::deliver(self),
            4 => {
                self.clock.end_next_sleep();
                self.log(|| format!("time: {:?}", self.clock.elapsed()));
            }
            _ => {
                let (number, task) = &self.running[self.dice.roll(self.running.len())];
                self.log(|| format!("call {number} is cancelled"));
                task.abort();
                let mut history = self.history();
                let tick = history.rows.tick();
                history.calls[*number].end.get_or_insert((tick, End::Cancelled));
            }
        }
        true
    }

    fn begin(&mut self, number: usize) {
        let (client, conversation) = (self.dice.roll(CLIENTS), self.dice.roll(CONVERSATIONS));
        let state = self.history().rows.current(conversation).state;
        let kind = Kind::any(&state, &mut self.dice);
        let is_dry = !matches!(kind, Kind::Read) && self.dice.percent(8);
        let traceparent = format!("00-{:032x}-00f067aa0ba902b7-01", number + 1).parse().ok();
        let options = CallOptions { traceparent, dry_run: is_dry, ..CallOptions::default() };
        {
            let mut history = self.history();
            let begin = history.rows.tick();
            history.calls.push(Call { client, conversation, kind: kind.clone(), is_dry, begin, end: None });
        }
        self.log(|| format!("client {client} calls {number}: {kind:?} of conversation {conversation}, dry: {is_dry}"));
        let id = Some(conversation_id(conversation));
        let service = &self.clients[client];
        let (history, wire) = (Arc::clone(&self.history), Arc::clone(&self.wire));
        let ended = move |end| {
            let mut history = history.lock().unwrap();
            let tick = history.rows.tick();
            history.calls[number].end = Some((tick, end));
            wire.note();
        };
        // The call is queued here, not when its task runs.
        let task = match kind {
            Kind::Link(record, policy) => {
                let call = service.link(record, id, policy, options);
                tokio::spawn(async move { ended(call.await.map_or_else(End::Failed, End::Linked)) })
            }
            Kind::Unlink(record) => {
                let call = service.unlink(record, id, options);
                tokio::spawn(async move { ended(call.await.map_or_else(End::Failed, End::Unlinked)) })
            }
            Kind::Read => {
                let call = service.read(id, options);
                tokio::spawn(async move { ended(call.await.map_or_else(End::Failed, End::Read)) })
            }
        };
        self.running.push((number, task.abort_handle()));
    }
}
