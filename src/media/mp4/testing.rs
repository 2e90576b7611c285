//! A small builder of boxes, for the tests of this folder.

pub(crate) mod any;

/// A box.
pub(super) fn boxed(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let size = u32::try_from(body.len() + 8).unwrap();
    [&size.to_be_bytes()[..], kind, body].concat()
}

/// A box of boxes.
pub(super) fn tree(kind: &[u8; 4], children: &[Vec<u8>]) -> Vec<u8> {
    boxed(kind, &children.concat())
}

/// A full box.
pub(super) fn full(kind: &[u8; 4], version: u8, flags: u32, body: &[u8]) -> Vec<u8> {
    let head = (u32::from(version) << 24) | flags;
    boxed(kind, &[&head.to_be_bytes()[..], body].concat())
}

/// Big-endian 32-bit numbers.
pub(super) fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// A full box with a count of entries and the entries, `width` words each.
pub(super) fn table(kind: &[u8; 4], width: usize, entries: &[u32]) -> Vec<u8> {
    let count = u32::try_from(entries.len() / width).unwrap();
    full(kind, 0, 0, &[words(&[count]), words(entries)].concat())
}

/// A visual sample entry.
pub(super) fn visual_entry(kind: &[u8; 4], width: u16, height: u16, boxes: &[u8]) -> Vec<u8> {
    let mut body = vec![0; 24];
    body.extend_from_slice(&width.to_be_bytes());
    body.extend_from_slice(&height.to_be_bytes());
    body.resize(78, 0);
    body.extend_from_slice(boxes);
    boxed(kind, &body)
}

/// A sound sample entry up to the rate, and what follows it.
pub(super) fn sound_entry(
    kind: &[u8; 4],
    version: u16,
    channels: u16,
    rate: u32,
    rest: &[u8],
) -> Vec<u8> {
    let mut body = vec![0; 8];
    body.extend_from_slice(&version.to_be_bytes());
    body.resize(16, 0);
    body.extend_from_slice(&channels.to_be_bytes());
    body.resize(24, 0);
    body.extend_from_slice(&(rate << 16).to_be_bytes());
    body.extend_from_slice(rest);
    boxed(kind, &body)
}

/// An esds box.
pub(super) fn esds(object_type: u8, specific: &[u8]) -> Vec<u8> {
    let len = |bytes: &[u8]| u8::try_from(bytes.len()).unwrap();
    let mut config = vec![object_type, 0x15];
    config.resize(13, 0);
    if !specific.is_empty() {
        config.extend_from_slice(&[5, len(specific)]);
        config.extend_from_slice(specific);
    }
    let stream = [&[0, 1, 0, 4, len(&config)][..], &config].concat();
    full(b"esds", 0, 0, &[&[3, len(&stream)][..], &stream].concat())
}

/// A track to be built.
pub(super) struct TrackSpec {
    pub id: u32,
    pub handler: &'static [u8; 4],
    pub timescale: u32,
    pub entries: Vec<Vec<u8>>,
    pub tables: Vec<Vec<u8>>,
    /// Words of the elst box, three an edit.
    pub edits: Vec<u32>,
}

impl TrackSpec {
    /// An AVC track, pictures of 320 by 180.
    pub(super) fn video(timescale: u32) -> Self {
        Self {
            id: 1,
            handler: b"vide",
            timescale,
            entries: vec![visual_entry(
                b"avc1",
                320,
                180,
                &boxed(b"avcC", b"\x01\x64"),
            )],
            tables: Vec::new(),
            edits: Vec::new(),
        }
    }

    /// A mono AAC track.
    pub(super) fn audio(timescale: u32) -> Self {
        Self {
            id: 2,
            handler: b"soun",
            timescale,
            entries: vec![sound_entry(
                b"mp4a",
                0,
                1,
                timescale,
                &esds(0x40, &[0x12, 0x08]),
            )],
            tables: Vec::new(),
            edits: Vec::new(),
        }
    }

    /// With stts, ctts (empty for none), stsc, stco, stsz and stss (empty for none).
    pub(super) fn with(mut self, tables: [&[u32]; 6]) -> Self {
        let [stts, ctts, stsc, stco, stsz, stss] = tables;
        let count = u32::try_from(stsz.len()).unwrap();
        self.tables = vec![
            table(b"stts", 2, stts),
            table(b"stsc", 3, stsc),
            table(b"stco", 1, stco),
            full(b"stsz", 0, 0, &[words(&[0, count]), words(stsz)].concat()),
        ];
        if !ctts.is_empty() {
            self.tables.push(table(b"ctts", 2, ctts));
        }
        if !stss.is_empty() {
            self.tables.push(table(b"stss", 1, stss));
        }
        self
    }

    /// With edits: duration (ms), media time, for each.
    pub(super) fn edited(mut self, edits: &[(u32, u32)]) -> Self {
        self.edits = edits
            .iter()
            .flat_map(|(length, time)| [*length, *time, 0x1_0000])
            .collect();
        self
    }

    fn trak(&self) -> Vec<u8> {
        let stbl = [vec![table_of_entries(&self.entries)], self.tables.clone()].concat();
        let hdlr = [&[0; 4][..], self.handler, &[0; 13]].concat();
        let mdia = [
            full(b"mdhd", 0, 0, &words(&[0, 0, self.timescale, 0, 0])),
            full(b"hdlr", 0, 0, &hdlr),
            tree(b"minf", &[tree(b"stbl", &stbl)]),
        ];
        let elst = table(b"elst", 3, &self.edits);
        let tkhd = words(&[0, 0, self.id, 0, 0]);
        let mut children = vec![full(b"tkhd", 0, 7, &tkhd), tree(b"mdia", &mdia)];
        if !self.edits.is_empty() {
            children.push(tree(b"edts", &[elst]));
        }
        tree(b"trak", &children)
    }
}

fn table_of_entries(entries: &[Vec<u8>]) -> Vec<u8> {
    let count = u32::try_from(entries.len()).unwrap();
    full(b"stsd", 0, 0, &[words(&[count]), entries.concat()].concat())
}

/// A moov box with a timescale of 1000.
pub(super) fn moov(tracks: &[TrackSpec], more: &[Vec<u8>]) -> Vec<u8> {
    let mut children = vec![full(b"mvhd", 0, 0, &words(&[0, 0, 1000, 0]))];
    children.extend(tracks.iter().map(TrackSpec::trak));
    children.extend_from_slice(more);
    tree(b"moov", &children)
}

/// Sixteen bytes that every file here begins with.
pub(super) fn ftyp() -> Vec<u8> {
    boxed(b"ftyp", b"isom\0\0\0\0")
}

/// Four pictures (I P B B, reordered) and four access units of audio, 40 ms each, every picture
/// before all audio; the media from byte 24 on, the moov box last.
pub(super) fn plain() -> Vec<u8> {
    let video = TrackSpec::video(1000)
        .with([
            &[4, 40],
            &[1, 40, 1, 120, 2, 0],
            &[1, 4, 1],
            &[24],
            &[10, 5, 4, 3],
            &[1],
        ])
        .edited(&[(160, 40)]);
    let audio =
        TrackSpec::audio(8000).with([&[4, 320], &[], &[1, 2, 1], &[46, 50], &[2, 2, 2, 2], &[]]);
    let mdat = boxed(b"mdat", &[0xAA; 30]);
    [ftyp(), mdat, moov(&[video, audio], &[])].concat()
}

/// A film of pictures of `len` bytes, 40 ms each, every 25th a key frame, and as many access units of
/// audio; interleaved, each access unit behind the picture two later, so that no place in the file
/// is a clean cut. `moov_first`: the moov box before the media.
pub(crate) fn film(pictures: u32, len: u32, moov_first: bool) -> Vec<u8> {
    const SOUND: u32 = 60;
    const SHIFT: u32 = 2;
    let build = |media: u32| {
        let (mut video, mut audio, mut at) = (Vec::new(), Vec::new(), media);
        for n in 0..pictures + SHIFT {
            if n < pictures {
                video.push(at);
                at += len;
            }
            if n >= SHIFT {
                audio.push(at);
                at += SOUND;
            }
        }
        let count = pictures as usize;
        let keys: Vec<u32> = (1..=pictures).step_by(25).collect();
        let (pictures_long, sound_long) = (vec![len; count], vec![SOUND; count]);
        let once: &[u32] = &[1, 1, 1];
        let tracks = [
            TrackSpec::video(1000).with([
                &[pictures, 40],
                &[],
                once,
                &video,
                &pictures_long,
                &keys,
            ]),
            TrackSpec::audio(8000).with([&[pictures, 320], &[], once, &audio, &sound_long, &[]]),
        ];
        (moov(&tracks, &[]), at - media)
    };
    let (table, bytes) = build(0);
    let body: Vec<u8> = (0..bytes)
        .map(|at| (at.wrapping_mul(at | 1) >> 7) as u8)
        .collect();
    let before = ftyp().len() + 8 + if moov_first { table.len() } else { 0 };
    let (table, _) = build(u32::try_from(before).unwrap());
    let mdat = boxed(b"mdat", &body);
    if moov_first {
        [ftyp(), table, mdat].concat()
    } else {
        [ftyp(), mdat, table].concat()
    }
}

/// A fragment of two pictures (5 and 3 bytes, the first a key frame if `key`) and two access units
/// of audio (2 bytes each), 40 ms each, from `time` on (ms); and its media.
pub(super) fn fragment(time: u32, key: bool) -> Vec<u8> {
    let flags = if key { 0x0200_0000 } else { 0x0101_0000 };
    let build = |size: u32| {
        let video = tree(
            b"traf",
            &[
                full(b"tfhd", 0, 0x2_0020, &words(&[1, 0x0101_0000])),
                full(b"tfdt", 0, 0, &words(&[time])),
                full(
                    b"trun",
                    0,
                    0xB05,
                    &words(&[2, size + 8, flags, 40, 5, 0, 40, 3, 40]),
                ),
            ],
        );
        let audio = tree(
            b"traf",
            &[
                full(b"tfhd", 0, 0x2_0000, &words(&[2])),
                full(b"tfdt", 1, 0, &words(&[0, time])),
                full(b"trun", 0, 0x201, &words(&[2, size + 16, 2, 2])),
            ],
        );
        tree(b"moof", &[full(b"mfhd", 0, 0, &words(&[1])), video, audio])
    };
    let size = u32::try_from(build(0).len()).unwrap();
    [build(size), boxed(b"mdat", &[0xBB; 12])].concat()
}

/// The head of a fragmented file of an AVC and an AAC track, both with a timescale of 1000.
pub(super) fn fragmented_head() -> Vec<u8> {
    let none: [&[u32]; 6] = [&[], &[], &[], &[], &[], &[]];
    let trex = |id: u32| full(b"trex", 0, 0, &words(&[id, 1, 40, 0, 0]));
    let tracks = [
        TrackSpec::video(1000).with(none),
        TrackSpec::audio(1000).with(none),
    ];
    [ftyp(), moov(&tracks, &[tree(b"mvex", &[trex(1), trex(2)])])].concat()
}

/// A sidx box over fragments of these lengths, 80 ms each.
pub(super) fn sidx(fragments: &[Vec<u8>]) -> Vec<u8> {
    let mut body = words(&[1, 1000, 0, 0, u32::try_from(fragments.len()).unwrap()]);
    for fragment in fragments {
        body.extend(words(&[
            u32::try_from(fragment.len()).unwrap(),
            80,
            0x9000_0000,
        ]));
    }
    full(b"sidx", 0, 0, &body)
}

/// An mfra box with these random access points of track 1: time, position.
pub(super) fn mfra(points: &[(u32, u32)]) -> Vec<u8> {
    let mut body = words(&[1, 0x3F, u32::try_from(points.len()).unwrap()]);
    for (time, at) in points {
        body.extend(words(&[*time, *at, 1, 1, 1]));
    }
    let tfra = full(b"tfra", 0, 0, &body);
    let size = u32::try_from(8 + tfra.len() + 16).unwrap();
    tree(b"mfra", &[tfra, full(b"mfro", 0, 0, &words(&[size]))])
}
