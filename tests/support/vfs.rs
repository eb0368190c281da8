//! A SQLite VFS for tests that counts, holds and fails I/O steps of the watched databases. Other files are not affected, so tests in one
//! process do not disturb each other.

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

/// A step of SQLite that a test can intercept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    /// The database file is opened for writing. If it fails, it is opened for reading only.
    OpenForWriting,
    /// The database file is locked, for example shared at the beginning of a read.
    Lock,
    /// A write to the WAL.
    WalWrite,
    /// The WAL is synced to the disk.
    WalSync,
    /// The database file is synced to the disk, at the end of a checkpoint.
    DatabaseSync,
    /// SQLite waits for a lock. If it fails, SQLite does not wait.
    Sleep,
}

/// One watched database: its file and its WAL.
#[derive(Default)]
pub(crate) struct Disk(Mutex<State>);

#[derive(Default)]
struct State {
    totals: HashMap<Step, u64>,
    /// The newest rule of a step applies.
    rules: Vec<(u64, Step, Rule)>,
    next_rule: u64,
}

#[derive(Clone)]
enum Rule {
    Fail(c_int),
    Hold(Sender<Held>),
}

/// Keeps a rule active until it is dropped.
pub(crate) struct ActiveRule {
    disk: Arc<Disk>,
    rule: u64,
}

/// Holds every step of a kind.
pub(crate) struct Gate {
    held: Receiver<Held>,
    _rule: ActiveRule,
}

/// A step that is held until this is dropped.
pub(crate) struct Held(Sender<c_int>);

/// Timeout of a test.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

static WATCHED: LazyLock<Mutex<HashMap<PathBuf, Arc<Disk>>>> = LazyLock::new(Mutex::default);

thread_local! {
    /// The database that this thread opened last. SQLite passes neither a file nor a connection when it sleeps.
    static OPENED_LAST: RefCell<Option<Arc<Disk>>> = const { RefCell::new(None) };
}

/// Watches the database at `path`.
#[expect(clippy::expect_used, reason = "a test's helper")]
pub(crate) fn watch(path: &Path) -> Arc<Disk> {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(register);
    let (folder, name) = path.parent().zip(path.file_name()).expect("a file in a folder");
    // SQLite follows symbolic links. The folder may not exist yet.
    let path = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned()).join(name);
    let mut watched = WATCHED.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(watched.entry(path).or_default())
}

impl Disk {
    /// Number of times the step was taken. For sleeps, the microseconds.
    pub(crate) fn total(&self, step: Step) -> u64 {
        self.state().totals.get(&step).copied().unwrap_or_default()
    }

    /// Makes the step fail with `code`.
    pub(crate) fn fail(self: &Arc<Self>, step: Step, code: c_int) -> ActiveRule {
        self.rule(step, Rule::Fail(code))
    }

    /// Holds each thread that is about to take the step.
    pub(crate) fn hold(self: &Arc<Self>, step: Step) -> Gate {
        let (entered, held) = mpsc::channel();
        Gate { held, _rule: self.rule(step, Rule::Hold(entered)) }
    }

    fn rule(self: &Arc<Self>, step: Step, rule: Rule) -> ActiveRule {
        let mut state = self.state();
        state.next_rule += 1;
        let id = state.next_rule;
        state.rules.push((id, step, rule));
        ActiveRule { disk: Arc::clone(self), rule: id }
    }

    /// Called before a step. `Some` is the error code with which the step fails.
    fn before(&self, step: Step, amount: u64) -> Option<c_int> {
        let rule = {
            let mut state = self.state();
            *state.totals.entry(step).or_default() += amount;
            state.rules.iter().rev().find(|(_, of, _)| *of == step).map(|(.., rule)| rule.clone())
        };
        match rule? {
            Rule::Fail(code) => Some(code),
            Rule::Hold(entered) => {
                let (release, released) = mpsc::channel();
                // If the test has ended, sending fails, and the step is not held.
                let _ = entered.send(Held(release));
                released.recv().ok()
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ActiveRule {
    fn drop(&mut self) {
        self.disk.state().rules.retain(|(id, ..)| *id != self.rule);
    }
}

impl Gate {
    /// Waits until a thread reaches the gate.
    #[expect(clippy::panic, reason = "a test's helper")]
    pub(crate) fn entered(&self) -> Held {
        match self.held.recv_timeout(PATIENCE) {
            Ok(held) => held,
            Err(RecvTimeoutError::Timeout) => panic!("the step was not taken"),
            Err(RecvTimeoutError::Disconnected) => panic!("the rule is gone"),
        }
    }
}

impl Held {
    /// Makes this one step fail with `code`.
    pub(crate) fn fail(self, code: c_int) {
        let _ = self.0.send(code);
    }
}

/// The VFS of the platform with two methods replaced.
#[repr(C)]
struct Shim {
    vfs: sqlite3_vfs,
    platform: *mut sqlite3_vfs,
}

/// The methods of one open file, some of them replaced. SQLite passes them back through the file.
#[repr(C)]
struct Methods {
    table: sqlite3_io_methods,
    platform: *const sqlite3_io_methods,
    disk: Arc<Disk>,
}

fn register() {
    // SAFETY: returns the default VFS of the platform, which is static. SQLite initialises itself in this call.
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
            && disk.before(Step::OpenForWriting, 1).is_some()
        {
            flags = flags & !writing | ffi::SQLITE_OPEN_READONLY;
        }
    }
    // SAFETY: SQLite calls with the pointer that `register` gave it, which is the first field of a `Shim`.
    let platform = unsafe { (*vfs.cast::<Shim>()).platform };
    // SAFETY: a complete VFS, called with the arguments of SQLite. Our `szOsFile` is the platform's.
    let code =
        unsafe { (*platform).xOpen.map_or(ffi::SQLITE_ERROR, |open| open(platform, name, file, flags, flags_out)) };
    let Some(disk) = disk else { return code };
    // SAFETY: opening sets the methods, or leaves them null if it fails.
    let Some(table) = (unsafe { (*file).pMethods.as_ref() }) else { return code };
    let ours = if is_database {
        sqlite3_io_methods { xClose: Some(close), xLock: Some(lock), xSync: Some(sync_database), ..*table }
    } else {
        sqlite3_io_methods { xClose: Some(close), xWrite: Some(write), xSync: Some(sync_wal), ..*table }
    };
    let methods = Box::into_raw(Box::new(Methods { table: ours, platform: table, disk }));
    // SAFETY: the file and its methods are valid until `close`, which frees the methods.
    unsafe { (*file).pMethods = methods.cast() };
    code
}

/// # Safety
/// `file` was opened by `open` above and is watched.
unsafe fn methods<'a>(file: *mut sqlite3_file) -> (&'a Disk, &'a sqlite3_io_methods) {
    // SAFETY: the methods are the first field of a `Methods`, which lives until the file is closed.
    unsafe {
        let methods = (*file).pMethods.cast::<Methods>();
        (&(*methods).disk, &*(*methods).platform)
    }
}

unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    // SAFETY: only watched files have this method. A file is closed once, so this is the only owner.
    let methods = unsafe { Box::from_raw((*file).pMethods.cast::<Methods>().cast_mut()) };
    // SAFETY: the platform's own method on the platform's own file.
    unsafe { (*methods.platform).xClose.map_or(ffi::SQLITE_ERROR, |close| close(file)) }
}

unsafe extern "C" fn lock(file: *mut sqlite3_file, level: c_int) -> c_int {
    // SAFETY: only watched files have this method.
    let (disk, platform) = unsafe { methods(file) };
    disk.before(Step::Lock, 1).unwrap_or_else(|| {
        // SAFETY: the platform's own method on the platform's own file, called with the arguments of SQLite.
        unsafe { platform.xLock.map_or(ffi::SQLITE_ERROR, |lock| lock(file, level)) }
    })
}

unsafe extern "C" fn write(file: *mut sqlite3_file, data: *const c_void, len: c_int, at: sqlite3_int64) -> c_int {
    // SAFETY: only watched files have this method.
    let (disk, platform) = unsafe { methods(file) };
    disk.before(Step::WalWrite, 1).unwrap_or_else(|| {
        // SAFETY: the platform's own method on the platform's own file, called with the arguments of SQLite.
        unsafe { platform.xWrite.map_or(ffi::SQLITE_ERROR, |write| write(file, data, len, at)) }
    })
}

unsafe extern "C" fn sync_wal(file: *mut sqlite3_file, flags: c_int) -> c_int {
    sync(file, flags, Step::WalSync)
}

unsafe extern "C" fn sync_database(file: *mut sqlite3_file, flags: c_int) -> c_int {
    sync(file, flags, Step::DatabaseSync)
}

fn sync(file: *mut sqlite3_file, flags: c_int, step: Step) -> c_int {
    // SAFETY: called with the file of a method that only watched files have.
    let (disk, platform) = unsafe { methods(file) };
    disk.before(step, 1).unwrap_or_else(|| {
        // SAFETY: the platform's own method on the platform's own file, called with the arguments of SQLite.
        unsafe { platform.xSync.map_or(ffi::SQLITE_ERROR, |sync| sync(file, flags)) }
    })
}

unsafe extern "C" fn sleep(vfs: *mut sqlite3_vfs, microseconds: c_int) -> c_int {
    let disk = OPENED_LAST.with_borrow(Clone::clone);
    let amount = u64::try_from(microseconds).unwrap_or_default();
    disk.and_then(|disk| disk.before(Step::Sleep, amount)).unwrap_or_else(|| {
        // SAFETY: SQLite calls with the pointer that `register` gave it, which is the first field of a `Shim`.
        let platform = unsafe { (*vfs.cast::<Shim>()).platform };
        // SAFETY: a complete VFS, called with the arguments of SQLite.
        unsafe { (*platform).xSleep.map_or(0, |sleep| sleep(platform, microseconds)) }
    })
}
