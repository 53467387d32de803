//! A business date in one file: its segments as they are, packed, with a manifest that says what each must be. It can be
//! put back here after a prune, or into an empty directory anywhere, and is checked on the way in and out.
//!
//! The file is a tar archive under zstd: `manifest.json` first, then the segments.

use std::fs::{File, OpenOptions};
use std::io::{BufReader, BufWriter, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::archive_error::ArchiveError;
use super::files::{Handle, sync_file};
use super::footer::Footer;
use super::list::SealedDay;
use super::segment::Segment;
use super::{Days, Place, name};
use crate::ids::BusinessDate;
use crate::journal::error::JournalError;

const MANIFEST: &str = "manifest.json";
/// How an archive is laid out.
const FORMAT: u32 = 1;
/// More than the manifest of any date has.
const MANIFEST_BYTES_MAX: u64 = 16 << 20;
/// Quick, and legs shrink to a third of their size.
const ZSTD_LEVEL: i32 = 3;
/// Bytes that are read at once.
const CHUNK_BYTES: usize = 1 << 18;

/// What an archive must hold.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
struct Manifest {
    format: u32,
    date: BusinessDate,
    segments: Vec<Listed>,
}

/// A segment in a manifest.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
struct Listed {
    first: u64,
    last: u64,
    bytes: u64,
    sha256: String,
}

impl Days {
    /// The segments of a date, all of which are there.
    fn of(&self, date: BusinessDate) -> Result<Vec<&Segment>, ArchiveError> {
        let of = self.segments().iter().filter(|segment| segment.footer.date == date);
        let found: Vec<_> = of.map(AsRef::as_ref).collect();
        let last = found.last().ok_or(ArchiveError::NoSuchDate(date))?;
        if !last.footer.is_last {
            return Err(ArchiveError::StillWorking(date, "not all of its legs are sealed yet"));
        }
        Ok(found)
    }
}

/// Packs a sealed date of the store in `dir`, which somebody may be serving from, into a new file, and reads that back.
/// `progress` is told the bytes packed of how many.
///
/// # Errors
///
/// [`ArchiveError`]: there is no such file then.
pub fn archive(
    dir: &Path,
    date: BusinessDate,
    to: &Path,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<SealedDay, ArchiveError> {
    let days = Days::load(&Place::in_store(dir), true)?;
    let segments = days.of(date)?;
    let mut listed = Vec::new();
    for segment in &segments {
        if !segment.is_whole {
            return Err(ArchiveError::IsPruned(date));
        }
        segment.check(&segment.footer.previous, &mut |_| ())?;
        let handle = segment.open()?;
        listed.push(Listed {
            first: segment.footer.first,
            last: segment.footer.last,
            bytes: segment.bytes,
            sha256: hex::encode(sum(&handle)?),
        });
    }
    let manifest = Manifest { format: FORMAT, date, segments: listed };
    let mut partial = to.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    // It is nobody's but its owner's to read. One that is there may be in the making: it is not touched.
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&partial);
    let file = file.map_err(|error| {
        let there = error.kind() == std::io::ErrorKind::AlreadyExists;
        if there { ArchiveError::InTheMaking(partial.clone()) } else { io("creating", &partial)(error) }
    })?;
    let written = write(&manifest, &segments, file, &partial, progress);
    let written = written.and_then(|()| check(&partial, &manifest));
    let named = written.and_then(|()| std::fs::hard_link(&partial, to).map_err(io("creating", to)));
    let removed = std::fs::remove_file(&partial).map_err(io("removing", &partial));
    named.and(removed)?;
    sync_file(to).map_err(io("syncing", to))?;
    let day = days.list().into_iter().find(|day| day.date == date);
    day.ok_or(ArchiveError::NoSuchDate(date))
}

fn write(
    manifest: &Manifest,
    segments: &[&Segment],
    file: File,
    to: &Path,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(), ArchiveError> {
    let failed = || io("writing", to);
    let packed = zstd::Encoder::new(BufWriter::new(file), ZSTD_LEVEL).map_err(failed())?;
    let mut tar = tar::Builder::new(packed);
    let text = serde_json::to_vec_pretty(manifest).map_err(|error| failed()(error.into()))?;
    let length = u64::try_from(text.len()).unwrap_or(u64::MAX);
    tar.append_data(&mut header(length), MANIFEST, text.as_slice()).map_err(failed())?;
    let all = manifest.segments.iter().map(|listed| listed.bytes).fold(0, u64::saturating_add);
    let mut before = 0_u64;
    for segment in segments {
        let Footer { date, first, .. } = segment.footer;
        let mut told = |bytes: u64| progress(before.saturating_add(bytes), all);
        let reader = HandleReader { handle: segment.open()?, at: 0, bytes: segment.bytes, told: &mut told };
        tar.append_data(&mut header(segment.bytes), name(date, first, true), reader).map_err(failed())?;
        before = before.saturating_add(segment.bytes);
    }
    let packed = tar.into_inner().map_err(failed())?;
    let file = packed.finish().and_then(|out| out.into_inner().map_err(std::io::IntoInnerError::into_error));
    file.and_then(|file| file.sync_all()).map_err(failed())
}

/// Who unpacks it may read it, and the archive of one store is the same bytes whenever it is made.
fn header(bytes: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes);
    header.set_mode(0o600);
    header.set_mtime(0);
    header
}

/// Reads a segment's file from its beginning.
struct HandleReader<'a> {
    handle: Handle,
    at: u64,
    bytes: u64,
    told: &'a mut dyn FnMut(u64),
}

impl Read for HandleReader<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let left = usize::try_from(self.bytes.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let length = left.min(out.len());
        let Some(out) = out.get_mut(..length) else { return Ok(0) };
        self.handle.read_at(out, self.at).map_err(std::io::Error::other)?;
        self.at = self.at.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
        (self.told)(self.at);
        Ok(length)
    }
}

/// SHA-256 of a whole file.
fn sum(handle: &Handle) -> Result<[u8; 32], JournalError> {
    let (mut sum, mut at, end) = (Sha256::new(), 0_u64, handle.bytes()?);
    let mut chunk = vec![0; CHUNK_BYTES];
    while at < end {
        let length = usize::try_from(end.saturating_sub(at)).unwrap_or(usize::MAX).min(CHUNK_BYTES);
        let part = chunk.get_mut(..length).unwrap_or_default();
        handle.read_at(part, at)?;
        sum.update(&*part);
        at = at.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
    }
    Ok(sum.finalize().into())
}

/// Reads an archive: its manifest, then each segment in the manifest's order, chunk by chunk.
fn unpack(
    path: &Path,
    known: impl FnOnce(&Manifest) -> Result<(), ArchiveError>,
    mut each: impl FnMut(&Manifest, &Listed, &mut dyn Read) -> Result<(), ArchiveError>,
) -> Result<Manifest, ArchiveError> {
    let no_archive = |why: String| ArchiveError::NoArchive { path: path.to_path_buf(), why };
    let file = File::open(path).map_err(io("opening", path))?;
    let packed = zstd::Decoder::new(BufReader::new(file)).map_err(|error| no_archive(error.to_string()))?;
    let mut tar = tar::Archive::new(packed);
    let mut entries = tar.entries().map_err(|error| no_archive(error.to_string()))?;
    let mut next = |want: &str| {
        let entry = entries.next().ok_or_else(|| no_archive(format!("it ends before {want}")))?;
        let entry = entry.map_err(|error| no_archive(error.to_string()))?;
        let is_it = entry.path().is_ok_and(|path| path == Path::new(want));
        if is_it { Ok(entry) } else { Err(no_archive(format!("{want} is not in its place"))) }
    };
    let mut text = Vec::new();
    let read = next(MANIFEST)?.take(MANIFEST_BYTES_MAX).read_to_end(&mut text);
    read.map_err(|error| no_archive(error.to_string()))?;
    let manifest: Manifest =
        serde_json::from_slice(&text).map_err(|error| no_archive(format!("its manifest: {error}")))?;
    if manifest.format != FORMAT {
        let why = format!("it has format {}, this program reads {FORMAT}", manifest.format);
        return Err(no_archive(why));
    }
    known(&manifest)?;
    for listed in &manifest.segments {
        let name = name(manifest.date, listed.first, true);
        let entry = next(&name)?;
        let mut hashed = Hashed { from: entry.take(listed.bytes), sum: Sha256::new(), bytes: 0 };
        each(&manifest, listed, &mut hashed)?;
        let found = hex::encode(hashed.sum.finalize());
        if hashed.bytes != listed.bytes || found != listed.sha256 {
            return Err(ArchiveError::Differs { path: path.to_path_buf(), name });
        }
    }
    Ok(manifest)
}

/// Hashes what is read through it.
struct Hashed<R> {
    from: R,
    sum: Sha256,
    bytes: u64,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let length = self.from.read(out)?;
        self.sum.update(out.get(..length).unwrap_or_default());
        self.bytes = self.bytes.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
        Ok(length)
    }
}

/// Reads an archive through, and sees that it holds what `manifest` says.
fn check(path: &Path, manifest: &Manifest) -> Result<(), ArchiveError> {
    let differs = || ArchiveError::Differs { path: path.to_path_buf(), name: format!("{}/", manifest.date) };
    let known = |found: &Manifest| if found == manifest { Ok(()) } else { Err(differs()) };
    unpack(path, known, |_, _, from| {
        std::io::copy(from, &mut std::io::sink()).map(|_| ()).map_err(io("reading", path))
    })
    .map(|_| ())
}

/// Sees that an archive holds all segments of a date as they lie here, byte for byte, and makes it durable. Of those that are
/// pruned already, as by a prune that was cut short, their footers are here, which have the sum of all before them.
pub(super) fn check_against(
    path: &Path,
    date: BusinessDate,
    segments: &[&Segment],
) -> Result<(), ArchiveError> {
    let differs = |name| ArchiveError::Differs { path: path.to_path_buf(), name };
    let known = |manifest: &Manifest| {
        let same_date = manifest.date == date && manifest.segments.len() == segments.len();
        let mut same = same_date;
        for (segment, listed) in segments.iter().zip(&manifest.segments) {
            let footer = &segment.footer;
            same = same && (footer.first, footer.last) == (listed.first, listed.last);
            if same && segment.is_whole {
                let sum = hex::encode(sum(&segment.open()?)?);
                same = segment.bytes == listed.bytes && sum == listed.sha256;
            }
        }
        if same { Ok(()) } else { Err(differs(format!("{date}/"))) }
    };
    unpack(path, known, |_, listed, read| {
        let is_it = |segment: &&&Segment| segment.footer.first == listed.first && !segment.is_whole;
        let Some(Segment { footer, .. }) = segments.iter().find(is_it) else {
            return std::io::copy(read, &mut std::io::sink()).map(|_| ()).map_err(io("reading", path));
        };
        let mut body = Hashed { from: (&mut *read).take(footer.footer_at), sum: Sha256::new(), bytes: 0 };
        std::io::copy(&mut body, &mut std::io::sink()).map_err(io("reading", path))?;
        let sum: [u8; 32] = body.sum.finalize().into();
        let (want, mut end) = (footer.encode(), Vec::new());
        let one_more = u64::try_from(want.len()).unwrap_or(u64::MAX).saturating_add(1);
        read.take(one_more).read_to_end(&mut end).map_err(io("reading", path))?;
        let same = sum == footer.sha256 && end == want;
        if same { Ok(()) } else { Err(differs(name(date, listed.first, true))) }
    })?;
    // It may be a copy that nobody has brought to the disk yet, and soon it is all there is.
    sync_file(path).map_err(io("syncing", path))
}

/// Puts an archived date into the store in `dir`: one that is pruned there and was the same, byte for byte, or into a
/// directory that is no store. `days` are the store's, if there is one.
///
/// # Errors
///
/// [`ArchiveError`]; segments that are already back stay, and restoring again goes on.
pub(super) fn unpack_into(
    place: &Place,
    days: Option<&Days>,
    from: &Path,
) -> Result<BusinessDate, ArchiveError> {
    let known = |manifest: &Manifest| {
        let Some(days) = days else { return Ok(()) };
        let not_pruned = ArchiveError::NotPruned(manifest.date);
        let here = days.of(manifest.date).map_err(|_| ArchiveError::NotPruned(manifest.date))?;
        let mut pairs = here.iter().zip(&manifest.segments);
        let same = pairs.all(|(segment, listed)| segment.footer.first == listed.first);
        let pruned = here.iter().any(|segment| !segment.is_whole);
        if !same || !pruned || here.len() != manifest.segments.len() {
            return Err(not_pruned);
        }
        let date = manifest.date;
        let later = days.list().into_iter().rfind(|day| day.date > date && day.pruned > 0);
        later.map_or(Ok(()), |later| Err(ArchiveError::LaterIsPruned { date, later: later.date }))
    };
    let manifest = unpack(from, known, |manifest, listed, read| {
        let name = name(manifest.date, listed.first, true);
        let differs = || ArchiveError::Differs { path: from.to_path_buf(), name: name.clone() };
        let mut sink = place.create(&name)?;
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            let length = read.read(&mut chunk).map_err(io("reading", from))?;
            if length == 0 {
                break;
            }
            sink.write(chunk.get(..length).unwrap_or_default())?;
        }
        sink.sync()?;
        let handle = sink.read_back()?;
        if hex::encode(sum(&handle)?) != listed.sha256 {
            return Err(differs());
        }
        let segment = Segment::of(place, &name, &handle, true)?;
        segment.check_file(&handle, &segment.footer.previous, &mut |_| ())?;
        let known = days.and_then(|days| days.holding(listed.first));
        if known.is_some_and(|known| known.footer != segment.footer) {
            return Err(differs());
        }
        Ok(sink.publish()?)
    })?;
    Ok(manifest.date)
}

fn io(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> ArchiveError {
    let path = path.to_path_buf();
    move |source| ArchiveError::Io { what, path, source }
}

pub(super) fn of_date(days: &Days, date: BusinessDate) -> Result<Vec<&Segment>, ArchiveError> {
    days.of(date)
}
