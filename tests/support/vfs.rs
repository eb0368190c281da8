//! The operating system as SQLite sees it, with a test in between: it counts, holds and breaks the steps that one database
//! takes. Files that nobody watches are left alone, so that tests in one process do not disturb each other.

use std::{
    cell::RefCell,
    collections::HashMap,
    ffi::{CStr, c_char, c_int, c_void},
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc, LazyLock, Mutex, MutexGuard, Once, PoisonError,
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    time::Duration,
};

use rusqlite::ffi::{self, sqlite3_file, sqlite3_int64, sqlite3_io_methods, sqlite3_vfs};

/// Where a test may step in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    /// The database file is opened for writing. Answered with anything: it is opened for reading only.
    OpenForWriting,
    /// The database file is locked, for example shared at the begin of a read.
    Lock,
    /// A piece of the log is written.
    LogWrite,
    /// The log is synced to the disk.
    LogSync,
    /// SQLite waits until somebody else lets go. Answered with anything: it does not wait.
    Sleep,
}

/// One database: its file and its log.
#[derive(Default)]
pub(crate) struct Disk(Mutex<State>);

#[derive(Default)]
struct State {
    totals: HashMap<Step, u64>,
    /// The newest rule of a step counts.
    rules: Vec<(u64, Step, Rule)>,
    next_rule: u64,
}

#[derive(Clone)]
enum Rule {
    Answer(c_int),
    Hold(Sender<Held>),
}

/// A rule that stands until this is dropped.
pub(crate) struct Standing {
    disk: Arc<Disk>,
    rule: u64,
}

/// Stops every step of a kind until it is let go.
pub(crate) struct Gate {
    held: Receiver<Held>,
    _standing: Standing,
}

/// A step that stands still. Dropping this lets it go.
pub(crate) struct Held(Sender<c_int>);

/// How long a test waits before it fails. Nothing that works takes this long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

static WATCHED: LazyLock<Mutex<HashMap<PathBuf, Arc<Disk>>>> = LazyLock::new(Mutex::default);

thread_local! {
    /// A sleep says neither the file nor the connection. A thread that sleeps does so for what it opened last.
    static OPENED_LAST: RefCell<Option<Arc<Disk>>> = const { RefCell::new(None) };
}

/// Watches the database at `path`.
#[expect(clippy::expect_used, reason = "a test's helper")]
pub(crate) fn watch(path: &Path) -> Arc<Disk> {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(register);
    let (folder, name) = path.parent().zip(path.file_name()).expect("a file in a folder");
    // SQLite follows symbolic links. A folder that does not exist yet is no such link.
    let path = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned()).join(name);
    let mut watched = WATCHED.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(watched.entry(path).or_default())
}

impl Disk {
    /// How often the step was taken; for sleeps, how many microseconds.
    pub(crate) fn total(&self, step: Step) -> u64 {
        self.state().totals.get(&step).copied().unwrap_or_default()
    }

    /// Takes the step no more, but answers with `code` instead.
    pub(crate) fn answer(self: &Arc<Self>, step: Step, code: c_int) -> Standing {
        self.rule(step, Rule::Answer(code))
    }

    /// Stops whoever is about to take the step.
    pub(crate) fn hold(self: &Arc<Self>, step: Step) -> Gate {
        let (entered, held) = mpsc::channel();
        Gate { held, _standing: self.rule(step, Rule::Hold(entered)) }
    }

    fn rule(self: &Arc<Self>, step: Step, rule: Rule) -> Standing {
        let mut state = self.state();
        state.next_rule += 1;
        let id = state.next_rule;
        state.rules.push((id, step, rule));
        Standing { disk: Arc::clone(self), rule: id }
    }

    /// The step is about to be taken; `Some` if it shall not be.
    fn meet(&self, step: Step, amount: u64) -> Option<c_int> {
        let rule = {
            let mut state = self.state();
            *state.totals.entry(step).or_default() += amount;
            state.rules.iter().rev().find(|(_, of, _)| *of == step).map(|(.., rule)| rule.clone())
        };
        match rule? {
            Rule::Answer(code) => Some(code),
            Rule::Hold(entered) => {
                let (release, released) = mpsc::channel();
                // A test that has ended holds nothing: the letter comes back, and dies.
                let _ = entered.send(Held(release));
                released.recv().ok()
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Standing {
    fn drop(&mut self) {
        self.disk.state().rules.retain(|(id, ..)| *id != self.rule);
    }
}

impl Gate {
    /// Waits until somebody stands before the gate.
    #[expect(clippy::panic, reason = "a test's helper")]
    pub(crate) fn entered(&self) -> Held {
        match self.held.recv_timeout(PATIENCE) {
            Ok(held) => held,
            Err(RecvTimeoutError::Timeout) => panic!("nobody took the step"),
            Err(RecvTimeoutError::Disconnected) => panic!("the rule is gone"),
        }
    }
}

impl Held {
    /// Takes this one step no more, but answers with `code` instead.
    pub(crate) fn answer(self, code: c_int) {
        let _ = self.0.send(code);
    }
}

/// Our VFS: the platform's, but for two methods.
#[repr(C)]
struct Shim {
    vfs: sqlite3_vfs,
    platform: *mut sqlite3_vfs,
}

/// The methods of one open file: the platform's, but for some. SQLite hands them back through the file.
#[repr(C)]
struct Methods {
    table: sqlite3_io_methods,
    platform: *const sqlite3_io_methods,
    disk: Arc<Disk>,
}

fn register() {
    // SAFETY: the default VFS of the platform, which is static; SQLite initialises itself in this call.
    let platform = unsafe { ffi::sqlite3_vfs_find(std::ptr::null()) };
    // SAFETY: as above; the copy shares the platform's `pAppData`, which is static too.
    let copy = unsafe { *platform };
    let vfs = sqlite3_vfs { zName: c"watched".as_ptr(), xOpen: Some(open), xSleep: Some(sleep), ..copy };
    let shim = Box::leak(Box::new(Shim { vfs, platform }));
    // SAFETY: leaked, so it outlives every connection.
    let code = unsafe { ffi::sqlite3_vfs_register(&raw mut shim.vfs, 1) };
    assert_eq!(code, ffi::SQLITE_OK);
}

/// The watched database that a file belongs to.
fn disk_of(name: *const c_char, flags: c_int) -> Option<Arc<Disk>> {
    if name.is_null() || flags & (ffi::SQLITE_OPEN_MAIN_DB | ffi::SQLITE_OPEN_WAL) == 0 {
        return None;
    }
    // SAFETY: SQLite names files by strings that live as long as the file is open.
    let name = unsafe { CStr::from_ptr(name) }.to_str().ok()?;
    let name = if flags & ffi::SQLITE_OPEN_WAL == 0 { name } else { name.strip_suffix("-wal")? };
    WATCHED.lock().unwrap_or_else(PoisonError::into_inner).get(Path::new(name)).cloned()
}

unsafe extern "C" fn open(
    vfs: *mut sqlite3_vfs,
    name: *const c_char,
    file: *mut sqlite3_file,
    mut flags: c_int,
    flags_out: *mut c_int,
) -> c_int {
    let disk = disk_of(name, flags);
    let is_database = flags & ffi::SQLITE_OPEN_MAIN_DB != 0;
    if is_database {
        OPENED_LAST.set(disk.clone());
        let writing = ffi::SQLITE_OPEN_READWRITE | ffi::SQLITE_OPEN_CREATE;
        if let Some(disk) = &disk
            && flags & writing != 0
            && disk.meet(Step::OpenForWriting, 1).is_some()
        {
            flags = flags & !writing | ffi::SQLITE_OPEN_READONLY;
        }
    }
    // SAFETY: SQLite calls with the pointer that `register` gave it, which is the first field of a `Shim`.
    let platform = unsafe { (*vfs.cast::<Shim>()).platform };
    // SAFETY: a complete VFS, called as SQLite called us; our `szOsFile` is the platform's.
    let code =
        unsafe { (*platform).xOpen.map_or(ffi::SQLITE_ERROR, |open| open(platform, name, file, flags, flags_out)) };
    let Some(disk) = disk else { return code };
    // SAFETY: opening sets the methods, or leaves them null where it failed.
    let Some(table) = (unsafe { (*file).pMethods.as_ref() }) else { return code };
    let ours = if is_database {
        sqlite3_io_methods { xClose: Some(close), xLock: Some(lock), ..*table }
    } else {
        sqlite3_io_methods { xClose: Some(close), xWrite: Some(write), xSync: Some(sync), ..*table }
    };
    let methods = Box::into_raw(Box::new(Methods { table: ours, platform: table, disk }));
    // SAFETY: the file is ours until it is closed, and so are the methods: `close` frees them.
    unsafe { (*file).pMethods = methods.cast() };
    code
}

/// # Safety
/// `file` was opened by `open` above and is watched.
unsafe fn methods<'a>(file: *mut sqlite3_file) -> (&'a Disk, &'a sqlite3_io_methods) {
    // SAFETY: then its methods are the first field of a `Methods`, which lives until the file is closed.
    unsafe {
        let methods = (*file).pMethods.cast::<Methods>();
        (&(*methods).disk, &*(*methods).platform)
    }
}

unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    // SAFETY: only watched files have this method. They are closed once, so this is the only owner.
    let methods = unsafe { Box::from_raw((*file).pMethods.cast::<Methods>().cast_mut()) };
    // SAFETY: the platform's own method on the platform's own file.
    unsafe { (*methods.platform).xClose.map_or(ffi::SQLITE_ERROR, |close| close(file)) }
}

unsafe extern "C" fn lock(file: *mut sqlite3_file, level: c_int) -> c_int {
    // SAFETY: only watched files have this method.
    let (disk, platform) = unsafe { methods(file) };
    disk.meet(Step::Lock, 1).unwrap_or_else(|| {
        // SAFETY: the platform's own method on the platform's own file, called as SQLite called us.
        unsafe { platform.xLock.map_or(ffi::SQLITE_ERROR, |lock| lock(file, level)) }
    })
}

unsafe extern "C" fn write(file: *mut sqlite3_file, data: *const c_void, len: c_int, at: sqlite3_int64) -> c_int {
    // SAFETY: only watched files have this method.
    let (disk, platform) = unsafe { methods(file) };
    disk.meet(Step::LogWrite, 1).unwrap_or_else(|| {
        // SAFETY: the platform's own method on the platform's own file, called as SQLite called us.
        unsafe { platform.xWrite.map_or(ffi::SQLITE_ERROR, |write| write(file, data, len, at)) }
    })
}

unsafe extern "C" fn sync(file: *mut sqlite3_file, flags: c_int) -> c_int {
    // SAFETY: only watched files have this method.
    let (disk, platform) = unsafe { methods(file) };
    disk.meet(Step::LogSync, 1).unwrap_or_else(|| {
        // SAFETY: the platform's own method on the platform's own file, called as SQLite called us.
        unsafe { platform.xSync.map_or(ffi::SQLITE_ERROR, |sync| sync(file, flags)) }
    })
}

unsafe extern "C" fn sleep(vfs: *mut sqlite3_vfs, microseconds: c_int) -> c_int {
    let disk = OPENED_LAST.with_borrow(Clone::clone);
    let amount = u64::try_from(microseconds).unwrap_or_default();
    disk.and_then(|disk| disk.meet(Step::Sleep, amount)).unwrap_or_else(|| {
        // SAFETY: SQLite calls with the pointer that `register` gave it, which is the first field of a `Shim`.
        let platform = unsafe { (*vfs.cast::<Shim>()).platform };
        // SAFETY: a complete VFS, called as SQLite called us.
        unsafe { (*platform).xSleep.map_or(0, |sleep| sleep(platform, microseconds)) }
    })
}
