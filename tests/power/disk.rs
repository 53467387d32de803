//! A disk whose power can be cut: a file served over FUSE, for the kernel to lay a loop device and ext4 on. It keeps what was
//! written apart from what was flushed, as a disk with a cache of its own does.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use fuser::{
    BackgroundSession, Errno, FileAttr, FileHandle, FileType, Filesystem, Generation, INodeNo, LockOwner,
    OpenFlags, ReplyAttr, ReplyData, ReplyEmpty, ReplyEntry, ReplyWrite, Request, WriteFlags,
};

use crate::support::Dice;

/// The only file there is, and the smallest part of it that is written whole.
const NAME: &str = "disk";
const SECTOR: usize = 512;
const FOREVER: Duration = Duration::from_secs(86_400);

/// What is on the disk, and what is only in its cache.
struct Platter {
    /// What reads see.
    current: Vec<u8>,
    /// As of the last flush.
    durable: Vec<u8>,
    /// Writes since then: where, and what.
    cached: Vec<(usize, Vec<u8>)>,
    /// Every write and flush fails.
    dead: bool,
}

impl Platter {
    fn write(&mut self, at: usize, bytes: &[u8]) {
        self.current[at..at + bytes.len()].copy_from_slice(bytes);
        self.cached.push((at, bytes.to_vec()));
    }

    fn flush(&mut self) {
        for (at, bytes) in self.cached.drain(..) {
            self.durable[at..at + bytes.len()].copy_from_slice(&bytes);
        }
    }

    /// What is found on it after the power went.
    fn found(&self, cache: Cache, dice: &mut Dice) -> Vec<u8> {
        let mut found = self.durable.clone();
        let mut put = |at: usize, bytes: &[u8]| found[at..at + bytes.len()].copy_from_slice(bytes);
        let mut roll = |sides: usize| usize::try_from(dice.roll(u64::try_from(sides).unwrap())).unwrap();
        match cache {
            Cache::Lost => {}
            Cache::Kept => self.cached.iter().for_each(|(at, bytes)| put(*at, bytes)),
            Cache::Begun => {
                let last = roll(self.cached.len() + 1);
                self.cached[..last].iter().for_each(|(at, bytes)| put(*at, bytes));
                if let Some((at, bytes)) = self.cached.get(last) {
                    put(*at, &bytes[..roll(bytes.len() / SECTOR + 1) * SECTOR]);
                }
            }
            Cache::Scattered => {
                for (at, bytes) in &self.cached {
                    for (place, sector) in bytes.chunks(SECTOR).enumerate() {
                        if roll(2) == 0 {
                            put(at + place * SECTOR, sector);
                        }
                    }
                }
            }
        }
        found
    }
}

/// What a disk does with its cache when the power goes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cache {
    /// It is lost.
    Lost,
    /// It is written out.
    Kept,
    /// It is written out up to some write, and that one in part.
    Begun,
    /// Any of its sectors may have been written, in any order.
    Scattered,
}

/// The disk, as long as this lives.
pub(crate) struct Disk {
    platter: Arc<Mutex<Platter>>,
    dir: tempfile::TempDir,
    session: Option<BackgroundSession>,
}

impl Disk {
    /// A disk with these bytes on it. `None` where FUSE cannot be had.
    pub(crate) fn spin_up(bytes: Vec<u8>) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let platter = Platter { current: bytes.clone(), durable: bytes, cached: Vec::new(), dead: false };
        let platter = Arc::new(Mutex::new(platter));
        let served = Served(Arc::clone(&platter));
        let session = fuser::spawn_mount(served, dir.path(), &fuser::Config::default()).ok()?;
        Some(Self { platter, dir, session: Some(session) })
    }

    /// The file that a loop device is laid on.
    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join(NAME)
    }

    /// The power goes. Nothing is written or flushed any more when `last_seen` is asked what there was to see; with it comes what
    /// is found on the disk.
    pub(crate) fn cut<T>(
        &self,
        cache: Cache,
        dice: &mut Dice,
        last_seen: impl FnOnce() -> T,
    ) -> (T, Vec<u8>) {
        let platter = self.platter.lock().unwrap();
        let seen = last_seen();
        (seen, platter.found(cache, dice))
    }

    /// From now on every write and every flush is answered with EIO; what is in the cache is lost.
    pub(crate) fn die(&self) {
        self.platter.lock().unwrap().dead = true;
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = self.session.take().map(BackgroundSession::umount_and_join);
    }
}

/// The kernel's side of it.
struct Served(Arc<Mutex<Platter>>);

impl Served {
    fn attributes(&self, node: INodeNo) -> FileAttr {
        let size = u64::try_from(self.0.lock().unwrap().current.len()).unwrap();
        let root = node == INodeNo::ROOT;
        FileAttr {
            ino: node,
            size: if root { 0 } else { size },
            blocks: size / 512,
            atime: UNIX_EPOCH,
            mtime: UNIX_EPOCH,
            ctime: UNIX_EPOCH,
            crtime: UNIX_EPOCH,
            kind: if root { FileType::Directory } else { FileType::RegularFile },
            perm: 0o600,
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            flags: 0,
            blksize: 4096,
        }
    }
}

fn place(offset: u64) -> usize {
    usize::try_from(offset).unwrap()
}

impl Filesystem for Served {
    fn lookup(&self, _: &Request, _: INodeNo, name: &OsStr, reply: ReplyEntry) {
        if name == NAME {
            reply.entry(&FOREVER, &self.attributes(INodeNo(2)), Generation(0));
        } else {
            reply.error(Errno::ENOENT);
        }
    }

    fn getattr(&self, _: &Request, node: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        reply.attr(&FOREVER, &self.attributes(node));
    }

    fn read(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        bytes: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let platter = self.0.lock().unwrap();
        let all = &platter.current;
        let from = place(offset).min(all.len());
        reply.data(&all[from..(from + place(bytes.into())).min(all.len())]);
    }

    fn write(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        bytes: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let mut platter = self.0.lock().unwrap();
        if platter.dead {
            return reply.error(Errno::EIO);
        }
        platter.write(place(offset), bytes);
        reply.written(u32::try_from(bytes.len()).unwrap());
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        // What a close asks for; a disk is flushed by fsync.
        reply.ok();
    }

    fn fsync(&self, _: &Request, _: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        let mut platter = self.0.lock().unwrap();
        if platter.dead {
            return reply.error(Errno::EIO);
        }
        platter.flush();
        reply.ok();
    }
}

/// An empty ext4 of so many bytes. `None` where there is no mkfs.ext4.
pub(crate) fn ext4(bytes: u64) -> Option<Vec<u8>> {
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(bytes).unwrap();
    let lazy_off = "lazy_itable_init=0,lazy_journal_init=0";
    let mut mkfs = std::process::Command::new("mkfs.ext4");
    mkfs.args(["-q", "-F", "-m", "0", "-J", "size=8", "-E", lazy_off]).arg(file.path());
    mkfs.output().is_ok_and(|output| output.status.success()).then(|| read(file.path()))
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap()
}
