//! A disk that fails: a SQLite VFS which passes everything on to the operating system's, unless told to refuse
//! the n-th write, to be full, or to lose its power.
//!
//! It never calls fsync. Instead it remembers which bytes would be on the disk if the power went now, so that a
//! test can take that picture and open it as the next program would find it.

use rusqlite::ffi;
use std::collections::HashMap;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Duration;
use std::{fs, mem, ptr};

/// The atom of a disk: a write may reach it in part, but never in part of one of these.
const SECTOR: usize = 512;

/// A disk of its own kind; each has its own VFS name. Disks live as long as the test binary, because SQLite
/// keeps pointers to what it was given.
#[derive(Clone, Copy)]
pub(crate) struct Disk(&'static State);

/// What happens to the n-th call that changes the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It fails, and the next one works again.
    Once,
    /// It fails, and so does every later one until [`Disk::repair`].
    FromThenOn,
    /// There is no room for it.
    Full,
    /// There is room for half of it.
    Short,
    /// It is the n-th call that reads, and fails.
    Read,
    /// The power goes before it: the picture is taken, and every later call fails.
    PowerCut,
}

struct State {
    name: CString,
    calls: AtomicU64,
    reads: AtomicU64,
    disk: Mutex<Sectors>,
    /// Syncs that wait, and whether they must.
    held: Mutex<(usize, bool)>,
    changed: Condvar,
}

#[derive(Default)]
struct Sectors {
    files: HashMap<PathBuf, FileState>,
    fault: Option<(u64, Fault)>,
    was_met: bool,
    is_full: bool,
    is_broken: bool,
    /// The seed of the next picture, and the picture.
    seed: u64,
    picture: Option<HashMap<PathBuf, Vec<u8>>>,
}

#[derive(Default)]
struct FileState {
    durable: Vec<u8>,
    pending: Vec<Change>,
}

#[derive(Clone)]
enum Change {
    Write(usize, Vec<u8>),
    Truncate(usize),
}

impl Change {
    fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Change::Truncate(size) => to.resize(*size, 0),
            Change::Write(at, bytes) => {
                let end = at + bytes.len();
                if to.len() < end {
                    to.resize(end, 0);
                }
                to[*at..end].copy_from_slice(bytes);
            }
        }
    }
}

impl Disk {
    /// Registers a new disk.
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("faulty-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let state: &'static State = Box::leak(Box::new(State {
            name: CString::new(name).expect("a name without zeros"),
            calls: AtomicU64::new(0),
            reads: AtomicU64::new(0),
            disk: Mutex::default(),
            held: Mutex::default(),
            changed: Condvar::new(),
        }));
        register(state);
        Disk(state)
    }

    pub(crate) fn name(&self) -> String {
        self.0
            .name
            .to_str()
            .expect("the name was a string")
            .to_owned()
    }

    /// How many calls that change the disk there were.
    pub(crate) fn calls(&self) -> u64 {
        self.0.calls.load(Ordering::Relaxed)
    }

    /// Lets the `n`-th call from now on, counted from 1, meet a fault. `seed` decides what a power cut loses.
    pub(crate) fn fail(&self, n: u64, fault: Fault, seed: u64) {
        let mut disk = self.0.disk();
        let before = match fault {
            Fault::Read => &self.0.reads,
            _ => &self.0.calls,
        };
        disk.fault = Some((before.load(Ordering::Relaxed) + n, fault));
        disk.was_met = false;
        disk.seed = seed;
    }

    /// Whether the call that was to meet a fault has come.
    pub(crate) fn was_met(&self) -> bool {
        self.0.disk().was_met
    }

    /// From now on no file grows.
    pub(crate) fn fill(&self) {
        self.0.disk().is_full = true;
    }

    /// Everything works again, and faults that were not met are forgotten.
    pub(crate) fn repair(&self) {
        let mut disk = self.0.disk();
        (disk.is_full, disk.is_broken, disk.fault) = (false, false, None);
    }

    /// From now on every sync waits.
    pub(crate) fn hold(&self) {
        self.0
            .held
            .lock()
            .expect("no test panics with the lock held")
            .1 = true;
    }

    /// Waits until a sync waits.
    pub(crate) fn until_held(&self, patience: Duration) {
        let held = self
            .0
            .held
            .lock()
            .expect("no test panics with the lock held");
        let waits = |held: &mut (usize, bool)| held.0 == 0;
        let (held, timeout) = self
            .0
            .changed
            .wait_timeout_while(held, patience, waits)
            .expect("no test panics");
        drop(held);
        assert!(!timeout.timed_out(), "no sync came");
    }

    /// Lets the syncs that wait go on, and all later ones.
    pub(crate) fn release(&self) {
        self.0
            .held
            .lock()
            .expect("no test panics with the lock held")
            .1 = false;
        self.0.changed.notify_all();
    }

    /// Writes the picture of the power cut into another directory; `false` if the power never went.
    pub(crate) fn restore(&self, into: &Path) -> bool {
        let disk = self.0.disk();
        let Some(picture) = &disk.picture else {
            return false;
        };
        for (path, bytes) in picture {
            let name = path.file_name().expect("a file has a name");
            fs::write(into.join(name), bytes).expect("the test's own directory takes writes");
        }
        true
    }
}

impl State {
    fn disk(&self) -> MutexGuard<'_, Sectors> {
        self.disk.lock().expect("no test panics with the lock held")
    }

    fn wait_while_held(&self) {
        let mut held = self.held.lock().expect("no test panics with the lock held");
        held.0 += 1;
        self.changed.notify_all();
        let mut held = self
            .changed
            .wait_while(held, |held| held.1)
            .expect("no test panics with the lock held");
        held.0 -= 1;
    }

    /// Counts a call that changes the disk; what it must meet, if anything.
    fn meet(&self) -> Option<Fault> {
        let call = self.calls.fetch_add(1, Ordering::Relaxed) + 1;
        let mut disk = self.disk();
        let fault = match disk.fault {
            Some((at, fault)) if at == call && fault != Fault::Read => Some(fault),
            _ => None,
        };
        disk.was_met |= fault.is_some();
        if fault == Some(Fault::PowerCut) {
            disk.picture = Some(disk.develop());
        }
        disk.is_broken |= matches!(fault, Some(Fault::PowerCut | Fault::FromThenOn));
        let is_broken = disk.is_broken;
        fault.or(is_broken.then_some(Fault::FromThenOn))
    }

    /// Counts a call that changes the disk; the error it must return instead, if it must.
    fn change(&self, error: c_int) -> Result<(), c_int> {
        match self.meet() {
            None => Ok(()),
            Some(Fault::Full) => Err(ffi::SQLITE_FULL),
            Some(_) => Err(error),
        }
    }

    /// Counts a call that reads; whether it must fail.
    fn must_not_read(&self) -> bool {
        let call = self.reads.fetch_add(1, Ordering::Relaxed) + 1;
        let mut disk = self.disk();
        let is_met = disk.fault == Some((call, Fault::Read));
        disk.was_met |= is_met;
        is_met
    }
}

impl Sectors {
    fn file(&mut self, path: &Path) -> &mut FileState {
        self.files.entry(path.to_owned()).or_default()
    }

    /// What is found after a power cut: all that was synced, and of the rest any sectors whatever.
    fn develop(&self) -> HashMap<PathBuf, Vec<u8>> {
        let mut dice = Dice(self.seed.wrapping_mul(2) + 1);
        let mut picture = HashMap::new();
        let mut paths: Vec<_> = self.files.keys().collect();
        paths.sort();
        for path in paths {
            let file = &self.files[path];
            let mut bytes = file.durable.clone();
            let chance = dice.roll() % 5;
            for change in &file.pending {
                for part in sectors(change) {
                    if dice.roll() % 4 < chance {
                        part.apply(&mut bytes);
                    }
                }
            }
            picture.insert(path.clone(), bytes);
        }
        picture
    }
}

/// A change as the sectors it touches.
fn sectors(change: &Change) -> Vec<Change> {
    let Change::Write(at, bytes) = change else {
        return vec![change.clone()];
    };
    let mut parts = Vec::new();
    let mut from = 0;
    while from < bytes.len() {
        let in_sector = SECTOR - (at + from) % SECTOR;
        let to = bytes.len().min(from + in_sector);
        parts.push(Change::Write(at + from, bytes[from..to].to_vec()));
        from = to;
    }
    parts
}

/// xorshift64*: the same seed loses the same sectors.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33
    }
}

// ## What SQLite sees

/// Our file, with the file of the operating system's VFS in the memory behind it.
#[repr(C)]
struct File {
    base: ffi::sqlite3_file,
    state: *const State,
    /// A boxed path; null for temporary files, which have no name and no future.
    path: *mut PathBuf,
}

const METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    // 2: with shared memory, which the log needs; without memory maps, whose writes nobody sees.
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};
static METHODS_REF: &ffi::sqlite3_io_methods = &METHODS;

fn register(state: &'static State) {
    // SAFETY: a null name asks for the default VFS, which SQLite keeps for ever. The new VFS, its name and its
    // state are leaked, as registered ones must outlive every connection.
    unsafe {
        let real = ffi::sqlite3_vfs_find(ptr::null());
        let mut vfs = Box::new(*real);
        vfs.iVersion = 1;
        vfs.szOsFile = (*real).szOsFile + mem::size_of::<File>() as c_int;
        vfs.pNext = ptr::null_mut();
        vfs.zName = state.name.as_ptr();
        vfs.pAppData = ptr::from_ref(state).cast_mut().cast();
        vfs.xOpen = Some(open);
        vfs.xDelete = Some(delete);
        let registered = ffi::sqlite3_vfs_register(Box::leak(vfs), 0);
        assert_eq!(registered, ffi::SQLITE_OK);
    }
}

/// # Safety
/// `vfs` is one of ours.
unsafe fn state_of(vfs: *mut ffi::sqlite3_vfs) -> &'static State {
    // SAFETY: register put a leaked State there.
    unsafe { &*(*vfs).pAppData.cast::<State>() }
}

fn real_vfs() -> *mut ffi::sqlite3_vfs {
    // SAFETY: ours are never registered as the default, so this is the operating system's.
    unsafe { ffi::sqlite3_vfs_find(ptr::null()) }
}

/// # Safety
/// `file` was opened by `open` below.
unsafe fn real(file: *mut ffi::sqlite3_file) -> *mut ffi::sqlite3_file {
    // SAFETY: szOsFile made room for the real file behind ours, and File's size is a multiple of its alignment.
    unsafe { file.cast::<File>().add(1).cast() }
}

/// # Safety
/// `file` was opened by `open` below and is not closed.
unsafe fn parts(file: *mut ffi::sqlite3_file) -> (&'static State, Option<&'static Path>) {
    // SAFETY: open filled both in; the state is leaked and the path lives until close.
    unsafe {
        let file = file.cast::<File>();
        (&*(*file).state, (*file).path.as_ref().map(PathBuf::as_path))
    }
}

unsafe extern "C" fn open(
    vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: SQLite gives memory of szOsFile bytes, and names that live as long as the file.
    unsafe {
        let state = state_of(vfs);
        let vfs = real_vfs();
        (*file).pMethods = ptr::null();
        let rc = (*vfs).xOpen.expect("every VFS opens")(vfs, name, real(file), flags, out_flags);
        if rc != ffi::SQLITE_OK {
            return rc;
        }
        let path = (!name.is_null()).then(|| path_of(name));
        if let Some(path) = &path {
            let mut disk = state.disk();
            disk.files.entry(path.clone()).or_insert_with(|| FileState {
                durable: fs::read(path).unwrap_or_default(),
                pending: Vec::new(),
            });
        }
        let ours = file.cast::<File>();
        (*ours).state = state;
        (*ours).path = path.map_or(ptr::null_mut(), |path| Box::into_raw(Box::new(path)));
        (*file).pMethods = METHODS_REF;
        ffi::SQLITE_OK
    }
}

/// # Safety
/// `name` is a string that ends with a zero.
unsafe fn path_of(name: *const c_char) -> PathBuf {
    // SAFETY: as the caller promises.
    let name = unsafe { CStr::from_ptr(name) };
    PathBuf::from(name.to_str().expect("the tests' paths are UTF-8"))
}

unsafe extern "C" fn delete(vfs: *mut ffi::sqlite3_vfs, name: *const c_char, sync: c_int) -> c_int {
    // SAFETY: SQLite gives our VFS and a name; the real VFS gets itself.
    unsafe {
        let state = state_of(vfs);
        if let Err(error) = state.change(ffi::SQLITE_IOERR_DELETE) {
            return error;
        }
        state.disk().files.remove(&path_of(name));
        let vfs = real_vfs();
        (*vfs).xDelete.expect("every VFS deletes")(vfs, name, sync)
    }
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: the file is ours and not used again; the path was boxed by open.
    unsafe {
        let ours = file.cast::<File>();
        if !(*ours).path.is_null() {
            drop(Box::from_raw((*ours).path));
        }
        let real = real(file);
        (*(*real).pMethods).xClose.expect("every file closes")(real)
    }
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    bytes: *const c_void,
    len: c_int,
    at: ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: SQLite gives one of our files and `len` bytes.
    unsafe {
        let (state, path) = parts(file);
        let fault = state.meet();
        let (mut len_bytes, from) = (len as usize, at as usize);
        match fault {
            None => {}
            Some(Fault::Short) => len_bytes /= 2,
            Some(Fault::Full) => return ffi::SQLITE_FULL,
            Some(_) => return ffi::SQLITE_IOERR_WRITE,
        }
        if let Some(path) = path {
            let mut disk = state.disk();
            if disk.is_full
                && fs::metadata(path).map_or(0, |file| file.len()) < (from + len_bytes) as u64
            {
                return ffi::SQLITE_FULL;
            }
            let data = std::slice::from_raw_parts(bytes.cast::<u8>(), len_bytes).to_vec();
            disk.file(path).pending.push(Change::Write(from, data));
        }
        let real = real(file);
        let write = (*(*real).pMethods).xWrite.expect("every file is written");
        let written = write(real, bytes, len_bytes as c_int, at);
        if fault.is_some() {
            return ffi::SQLITE_FULL;
        }
        written
    }
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, size: ffi::sqlite3_int64) -> c_int {
    // SAFETY: SQLite gives one of our files.
    unsafe {
        let (state, path) = parts(file);
        if let Err(error) = state.change(ffi::SQLITE_IOERR_TRUNCATE) {
            return error;
        }
        if let Some(path) = path {
            let mut disk = state.disk();
            disk.file(path)
                .pending
                .push(Change::Truncate(size as usize));
        }
        let real = real(file);
        (*(*real).pMethods)
            .xTruncate
            .expect("every file is truncated")(real, size)
    }
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, _flags: c_int) -> c_int {
    // SAFETY: SQLite gives one of our files.
    let (state, path) = unsafe { parts(file) };
    state.wait_while_held();
    if let Err(error) = state.change(ffi::SQLITE_IOERR_FSYNC) {
        return error;
    }
    if let Some(path) = path {
        let mut disk = state.disk();
        let file = disk.file(path);
        for change in mem::take(&mut file.pending) {
            change.apply(&mut file.durable);
        }
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn read(
    file: *mut ffi::sqlite3_file,
    to: *mut c_void,
    len: c_int,
    at: ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: SQLite gives one of our files, and room for `len` bytes.
    unsafe {
        if parts(file).0.must_not_read() {
            return ffi::SQLITE_IOERR_READ;
        }
        let real = real(file);
        (*(*real).pMethods).xRead.expect("every file is read")(real, to, len, at)
    }
}

/// Methods that only pass on.
macro_rules! pass_on {
    ($($name:ident = $method:ident($($arg:ident: $type:ty),*) -> $result:ty;)*) => {$(
        unsafe extern "C" fn $name(file: *mut ffi::sqlite3_file, $($arg: $type),*) -> $result {
            // SAFETY: SQLite gives one of our files; the real one gets the same arguments.
            unsafe {
                let real = real(file);
                (*(*real).pMethods).$method.expect("files of the system have all methods")(real, $($arg),*)
            }
        }
    )*};
}

pass_on! {
    file_size = xFileSize(size: *mut ffi::sqlite3_int64) -> c_int;
    lock = xLock(level: c_int) -> c_int;
    unlock = xUnlock(level: c_int) -> c_int;
    check_reserved_lock = xCheckReservedLock(out: *mut c_int) -> c_int;
    file_control = xFileControl(op: c_int, arg: *mut c_void) -> c_int;
    sector_size = xSectorSize() -> c_int;
    device_characteristics = xDeviceCharacteristics() -> c_int;
    shm_map = xShmMap(page: c_int, size: c_int, extend: c_int, out: *mut *mut c_void) -> c_int;
    shm_lock = xShmLock(offset: c_int, n: c_int, flags: c_int) -> c_int;
    shm_barrier = xShmBarrier() -> ();
    shm_unmap = xShmUnmap(delete: c_int) -> c_int;
}
