//! How bytes are text: Python's charsets under Python's names.
//!
//! Tables come from `encoding_rs`, corrected where the Web's differ from Python's. A name that Python does not know is
//! UTF-8, as in Django; so are names that only the Web knows. Python's remaining codecs (EBCDIC and DOS code pages,
//! UTF-7, `unicode_escape`, ...) are read as UTF-8 as well: nobody sends them. The multi-byte charsets of East Asia
//! are the Web's supersets of Python's; they differ in rare characters only.

use encoding_rs::Encoding;

/// How bytes are text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Charset {
    /// UTF-8; a byte order mark is text.
    Utf8,
    /// UTF-8 without its byte order mark.
    Utf8Sig,
    /// Seven bits.
    Ascii,
    /// A byte is a code point.
    Latin1,
    /// UTF-16. Without an order, a byte order mark says it and is no text.
    Utf16(Option<Order>),
    /// UTF-32, in the same way.
    Utf32(Option<Order>),
    /// A byte is a character of a table.
    Single(&'static Encoding, Table),
    /// Characters of one or more bytes.
    Multi(&'static Encoding),
}

/// Which byte comes first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Order {
    /// The least.
    Little,
    /// The greatest.
    Big,
}

/// How Python's table of a single-byte charset differs from the Web's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Table {
    /// Not at all.
    Same,
    /// Bytes that the Web reads as control characters have no meaning.
    NoControls,
    /// 0x80 to 0x9F are control characters.
    Controls,
    /// KOI8-U of RFC 2319, with line-drawing in place of two Belarusian letters.
    Koi8U,
}

/// What bytes gave.
struct Decoded {
    /// The text, with U+FFFD for what has no meaning.
    text: String,
    /// Whether something had no meaning.
    broken: bool,
    /// Whether the last character lacks its end; it is not in the text.
    cut: bool,
}

impl Charset {
    /// The charset of a request; UTF-8 when it names none that is known.
    pub(super) fn named(name: Option<&str>) -> Self {
        name.and_then(Self::known).unwrap_or(Self::Utf8)
    }

    /// The charset that Python finds under this name.
    pub(super) fn known(name: &str) -> Option<Self> {
        let name = normalised(name);
        aliased(&name).or_else(|| aliased(&name.replace('.', "_"))).or_else(|| Self::of_module(&name))
    }

    /// The charset of one of Python's modules.
    fn of_module(module: &str) -> Option<Self> {
        use Order::{Big, Little};
        Some(match module {
            "utf_8" => Self::Utf8,
            "utf_8_sig" => Self::Utf8Sig,
            "ascii" => Self::Ascii,
            "latin_1" => Self::Latin1,
            "utf_16" => Self::Utf16(None),
            "utf_16_le" => Self::Utf16(Some(Little)),
            "utf_16_be" => Self::Utf16(Some(Big)),
            "utf_32" => Self::Utf32(None),
            "utf_32_le" => Self::Utf32(Some(Little)),
            "utf_32_be" => Self::Utf32(Some(Big)),
            "cp1250" => Self::Single(encoding_rs::WINDOWS_1250, Table::NoControls),
            "cp1251" => Self::Single(encoding_rs::WINDOWS_1251, Table::NoControls),
            "cp1252" => Self::Single(encoding_rs::WINDOWS_1252, Table::NoControls),
            "cp1253" => Self::Single(encoding_rs::WINDOWS_1253, Table::NoControls),
            "cp1254" => Self::Single(encoding_rs::WINDOWS_1254, Table::NoControls),
            "cp1255" => Self::Single(encoding_rs::WINDOWS_1255, Table::NoControls),
            "cp1256" => Self::Single(encoding_rs::WINDOWS_1256, Table::NoControls),
            "cp1257" => Self::Single(encoding_rs::WINDOWS_1257, Table::NoControls),
            "cp1258" => Self::Single(encoding_rs::WINDOWS_1258, Table::NoControls),
            "cp874" => Self::Single(encoding_rs::WINDOWS_874, Table::NoControls),
            "iso8859_2" => Self::Single(encoding_rs::ISO_8859_2, Table::Same),
            "iso8859_3" => Self::Single(encoding_rs::ISO_8859_3, Table::Same),
            "iso8859_4" => Self::Single(encoding_rs::ISO_8859_4, Table::Same),
            "iso8859_5" => Self::Single(encoding_rs::ISO_8859_5, Table::Same),
            "iso8859_6" => Self::Single(encoding_rs::ISO_8859_6, Table::Same),
            "iso8859_7" => Self::Single(encoding_rs::ISO_8859_7, Table::Same),
            "iso8859_8" => Self::Single(encoding_rs::ISO_8859_8, Table::Same),
            "iso8859_9" => Self::Single(encoding_rs::WINDOWS_1254, Table::Controls),
            "iso8859_10" => Self::Single(encoding_rs::ISO_8859_10, Table::Same),
            "iso8859_11" => Self::Single(encoding_rs::WINDOWS_874, Table::Controls),
            "iso8859_13" => Self::Single(encoding_rs::ISO_8859_13, Table::Same),
            "iso8859_14" => Self::Single(encoding_rs::ISO_8859_14, Table::Same),
            "iso8859_15" => Self::Single(encoding_rs::ISO_8859_15, Table::Same),
            "iso8859_16" => Self::Single(encoding_rs::ISO_8859_16, Table::Same),
            "koi8_r" => Self::Single(encoding_rs::KOI8_R, Table::Same),
            "koi8_u" => Self::Single(encoding_rs::KOI8_U, Table::Koi8U),
            "cp866" => Self::Single(encoding_rs::IBM866, Table::Same),
            "mac_roman" => Self::Single(encoding_rs::MACINTOSH, Table::Same),
            "gbk" | "gb2312" => Self::Multi(encoding_rs::GBK),
            "gb18030" => Self::Multi(encoding_rs::GB18030),
            "big5" | "cp950" => Self::Multi(encoding_rs::BIG5),
            "shift_jis" | "cp932" => Self::Multi(encoding_rs::SHIFT_JIS),
            "euc_jp" => Self::Multi(encoding_rs::EUC_JP),
            "euc_kr" | "cp949" => Self::Multi(encoding_rs::EUC_KR),
            "iso2022_jp" => Self::Multi(encoding_rs::ISO_2022_JP),
            _ => return None,
        })
    }

    /// The text, when every byte has a meaning.
    pub(super) fn strict(self, bytes: &[u8]) -> Option<String> {
        let decoded = self.decode(bytes);
        (!decoded.broken && !decoded.cut).then_some(decoded.text)
    }

    /// The text, with U+FFFD for what has no meaning.
    pub(super) fn lossy(self, bytes: &[u8]) -> String {
        let mut decoded = self.decode(bytes);
        if decoded.cut {
            decoded.text.push('\u{fffd}');
        }
        decoded.text
    }

    /// The text as Python's stream readers give it: a last character without its end is dropped,
    /// and UTF-16 or UTF-32 of no named order must begin with a byte order mark.
    pub(super) fn streamed(self, bytes: &[u8]) -> Option<String> {
        let ordered = match self {
            Self::Utf16(None) => order(bytes, UTF16_MARKS).is_some(),
            Self::Utf32(None) => order(bytes, UTF32_MARKS).is_some(),
            _ => true,
        };
        let decoded = self.decode(bytes);
        (ordered && !decoded.broken).then_some(decoded.text)
    }

    fn decode(self, bytes: &[u8]) -> Decoded {
        match self {
            Self::Utf8 => utf8(bytes),
            Self::Utf8Sig => utf8(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)),
            Self::Ascii => by_byte(bytes, |byte| byte.is_ascii().then(|| char::from(byte))),
            Self::Latin1 => by_byte(bytes, |byte| Some(char::from(byte))),
            Self::Utf16(Some(order)) => utf16(bytes, order),
            Self::Utf16(None) => match order(bytes, UTF16_MARKS) {
                Some(order) => utf16(&bytes[2..], order),
                None => utf16(bytes, Order::Little),
            },
            Self::Utf32(Some(order)) => utf32(bytes, order),
            Self::Utf32(None) => match order(bytes, UTF32_MARKS) {
                Some(order) => utf32(&bytes[4..], order),
                None => utf32(bytes, Order::Little),
            },
            Self::Single(encoding, table) => {
                let upper: Vec<Option<char>> = (0x80..=0xff).map(|byte| table.read(encoding, byte)).collect();
                by_byte(bytes, |byte| match byte.checked_sub(0x80) {
                    Some(at) => upper[usize::from(at)],
                    None => Some(char::from(byte)),
                })
            }
            Self::Multi(encoding) => {
                let (text, broken) = encoding.decode_without_bom_handling(bytes);
                Decoded { text: text.into_owned(), broken, cut: false }
            }
        }
    }
}

impl Table {
    /// The character of a byte from 0x80 on.
    fn read(self, encoding: &'static Encoding, byte: u8) -> Option<char> {
        let web = || {
            let text =
                encoding.decode_without_bom_handling_and_without_replacement(std::slice::from_ref(&byte));
            text.and_then(|text| text.chars().next())
        };
        match (self, byte) {
            (Self::Controls, 0x80..=0x9f) => Some(char::from(byte)),
            (Self::Koi8U, 0xae) => Some('╝'),
            (Self::Koi8U, 0xbe) => Some('╬'),
            // A Hebrew point that later tables added.
            (Self::NoControls, 0xca) if encoding == encoding_rs::WINDOWS_1255 => None,
            (Self::NoControls, _) => web().filter(|letter| !letter.is_control()),
            _ => web(),
        }
    }
}

const UTF16_MARKS: [&[u8]; 2] = [b"\xff\xfe", b"\xfe\xff"];
const UTF32_MARKS: [&[u8]; 2] = [b"\xff\xfe\0\0", b"\0\0\xfe\xff"];

/// The order that a byte order mark says.
fn order(bytes: &[u8], [little, big]: [&[u8]; 2]) -> Option<Order> {
    if bytes.starts_with(little) {
        Some(Order::Little)
    } else if bytes.starts_with(big) {
        Some(Order::Big)
    } else {
        None
    }
}

fn by_byte(bytes: &[u8], letter: impl Fn(u8) -> Option<char>) -> Decoded {
    let mut broken = false;
    let text = bytes.iter().map(|byte| {
        letter(*byte).unwrap_or_else(|| {
            broken = true;
            '\u{fffd}'
        })
    });
    Decoded { text: text.collect(), broken, cut: false }
}

fn utf8(bytes: &[u8]) -> Decoded {
    let mut decoded = Decoded { text: String::with_capacity(bytes.len()), broken: false, cut: false };
    let mut rest = bytes.len();
    for chunk in bytes.utf8_chunks() {
        decoded.text.push_str(chunk.valid());
        rest -= chunk.valid().len() + chunk.invalid().len();
        let Err(error) = std::str::from_utf8(chunk.invalid()) else { continue };
        if rest == 0 && error.error_len().is_none() {
            decoded.cut = true;
        } else {
            decoded.text.push('\u{fffd}');
            decoded.broken = true;
        }
    }
    decoded
}

fn utf16(bytes: &[u8], order: Order) -> Decoded {
    let mut decoded = Decoded { text: String::with_capacity(bytes.len()), broken: false, cut: false };
    let (pairs, rest) = bytes.as_chunks::<2>();
    let mut units = pairs
        .iter()
        .map(|pair| match order {
            Order::Little => u16::from_le_bytes(*pair),
            Order::Big => u16::from_be_bytes(*pair),
        })
        .peekable();
    decoded.cut = !rest.is_empty();
    while let Some(unit) = units.next() {
        let high = (0xd800..0xdc00).contains(&unit);
        if high && units.peek().is_none() {
            decoded.cut = true;
            break;
        }
        let low = units.next_if(|low| high && (0xdc00..0xe000).contains(low));
        let letter = char::decode_utf16([unit].into_iter().chain(low)).next();
        match letter {
            Some(Ok(letter)) => decoded.text.push(letter),
            _ => {
                decoded.text.push('\u{fffd}');
                decoded.broken = true;
            }
        }
    }
    decoded
}

fn utf32(bytes: &[u8], order: Order) -> Decoded {
    let mut decoded = Decoded { text: String::with_capacity(bytes.len()), broken: false, cut: false };
    let (units, rest) = bytes.as_chunks::<4>();
    for unit in units {
        let code = match order {
            Order::Little => u32::from_le_bytes(*unit),
            Order::Big => u32::from_be_bytes(*unit),
        };
        let letter = char::from_u32(code);
        decoded.broken |= letter.is_none();
        decoded.text.push(letter.unwrap_or('\u{fffd}'));
    }
    decoded.cut = !rest.is_empty();
    decoded
}

/// A name as Python looks it up: small letters, `_` for each run of other characters, none at the ends. Dots stay.
fn normalised(name: &str) -> String {
    let pieces = name.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '.');
    let pieces: Vec<&str> = pieces.filter(|piece| !piece.is_empty()).collect();
    pieces.join("_").to_ascii_lowercase()
}

fn aliased(name: &str) -> Option<Charset> {
    let (_, module) = ALIASES
        .iter()
        .flat_map(|(module, names)| names.split(' ').map(move |name| (name, module)))
        .find(|(known, _)| *known == name)?;
    Charset::of_module(module)
}

/// Python's other names of its modules: `encodings.aliases` of Python 3.11.
const ALIASES: &[(&str, &str)] = &[
    ("utf_8", "u8 utf utf8 utf8_ucs2 utf8_ucs4 cp65001"),
    (
        "ascii",
        "646 ansi_x3.4_1968 ansi_x3_4_1968 ansi_x3.4_1986 cp367 csascii ibm367 iso646_us iso_646.irv_1991 iso_ir_6 us us_ascii",
    ),
    (
        "latin_1",
        "8859 cp819 csisolatin1 ibm819 iso8859 iso8859_1 iso_8859_1 iso_8859_1_1987 iso_ir_100 l1 latin latin1",
    ),
    ("utf_16", "u16 utf16"),
    ("utf_16_le", "unicodelittleunmarked utf_16le"),
    ("utf_16_be", "unicodebigunmarked utf_16be"),
    ("utf_32", "u32 utf32"),
    ("utf_32_le", "utf_32le"),
    ("utf_32_be", "utf_32be"),
    ("cp1250", "1250 windows_1250"),
    ("cp1251", "1251 windows_1251"),
    ("cp1252", "1252 windows_1252"),
    ("cp1253", "1253 windows_1253"),
    ("cp1254", "1254 windows_1254"),
    ("cp1255", "1255 windows_1255"),
    ("cp1256", "1256 windows_1256"),
    ("cp1257", "1257 windows_1257"),
    ("cp1258", "1258 windows_1258"),
    ("iso8859_2", "csisolatin2 iso_8859_2 iso_8859_2_1987 iso_ir_101 l2 latin2"),
    ("iso8859_3", "csisolatin3 iso_8859_3 iso_8859_3_1988 iso_ir_109 l3 latin3"),
    ("iso8859_4", "csisolatin4 iso_8859_4 iso_8859_4_1988 iso_ir_110 l4 latin4"),
    ("iso8859_5", "csisolatincyrillic cyrillic iso_8859_5 iso_8859_5_1988 iso_ir_144"),
    ("iso8859_6", "arabic asmo_708 csisolatinarabic ecma_114 iso_8859_6 iso_8859_6_1987 iso_ir_127"),
    ("iso8859_7", "csisolatingreek ecma_118 elot_928 greek greek8 iso_8859_7 iso_8859_7_1987 iso_ir_126"),
    ("iso8859_8", "csisolatinhebrew hebrew iso_8859_8 iso_8859_8_1988 iso_ir_138"),
    ("iso8859_9", "csisolatin5 iso_8859_9 iso_8859_9_1989 iso_ir_148 l5 latin5"),
    ("iso8859_10", "csisolatin6 iso_8859_10 iso_8859_10_1992 iso_ir_157 l6 latin6"),
    ("iso8859_11", "thai iso_8859_11 iso_8859_11_2001"),
    ("iso8859_13", "iso_8859_13 l7 latin7"),
    ("iso8859_14", "iso_8859_14 iso_8859_14_1998 iso_celtic iso_ir_199 l8 latin8"),
    ("iso8859_15", "iso_8859_15 l9 latin9"),
    ("iso8859_16", "iso_8859_16 iso_8859_16_2001 iso_ir_226 l10 latin10"),
    ("koi8_r", "cskoi8r"),
    ("cp866", "866 csibm866 ibm866"),
    ("mac_roman", "macintosh macroman"),
    ("gbk", "936 cp936 ms936"),
    ("gb18030", "gb18030_2000"),
    (
        "gb2312",
        "chinese csiso58gb231280 euc_cn euccn eucgb2312_cn gb2312_1980 gb2312_80 iso_ir_58 x_mac_simp_chinese",
    ),
    ("big5", "big5_tw csbig5 x_mac_trad_chinese"),
    ("shift_jis", "csshiftjis shiftjis sjis s_jis x_mac_japanese"),
    ("euc_jp", "eucjp ujis u_jis"),
    ("euc_kr", "euckr korean ksc5601 ks_c_5601 ks_c_5601_1987 ksx1001 ks_x_1001 x_mac_korean"),
    ("cp932", "932 ms932 mskanji ms_kanji"),
    ("cp949", "949 ms949 uhc"),
    ("cp950", "950 ms950"),
    ("iso2022_jp", "csiso2022jp iso2022jp iso_2022_jp"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_pythons() {
        let latin1 =
            ["latin-1", "LATIN1", "8859", "iso8859-1", "ISO_8859-1", "l1", "cp819", " iso--8859--1 "];
        for name in latin1 {
            assert_eq!(Charset::known(name), Some(Charset::Latin1), "{name}");
        }
        for name in ["ascii", "US-ASCII", "646", "ansi_x3.4-1968", "iso646-us", "iso_646.irv_1991"] {
            assert_eq!(Charset::known(name), Some(Charset::Ascii), "{name}");
        }
        for name in ["utf-8", "UTF8", "u8", "utf", "cp65001"] {
            assert_eq!(Charset::known(name), Some(Charset::Utf8), "{name}");
        }
        let others = [
            ("utf-8-sig", Charset::Utf8Sig),
            ("utf16", Charset::Utf16(None)),
            ("UTF-16LE", Charset::Utf16(Some(Order::Little))),
            ("utf_32_be", Charset::Utf32(Some(Order::Big))),
            ("1252", Charset::Single(encoding_rs::WINDOWS_1252, Table::NoControls)),
            ("macintosh", Charset::Single(encoding_rs::MACINTOSH, Table::Same)),
            ("sjis", Charset::Multi(encoding_rs::SHIFT_JIS)),
        ];
        for (name, charset) in others {
            assert_eq!(Charset::known(name), Some(charset), "{name}");
        }
        for name in [
            "",
            "x-user-defined",
            "replacement",
            "x-mac-cyrillic",
            "iso-8859-8-i",
            "windows-874",
            "dos-874",
            "unicode-1-1-utf-8",
            "utf16le",
            "latin.1",
        ] {
            assert_eq!(Charset::known(name), None, "{name}");
        }
        assert_eq!(Charset::named(Some("replacement")), Charset::Utf8);
    }

    #[test]
    fn every_alias_is_of_a_module_that_is_read() {
        for (module, _) in ALIASES {
            assert!(Charset::of_module(module).is_some(), "{module}");
        }
    }

    #[test]
    fn bytes_without_meaning_are_pythons() {
        for (name, bytes, text) in [
            ("cp1252", &b"\x80"[..], Some("€")),
            ("cp1252", b"\x81", None),
            ("cp1255", b"\xca", None),
            ("koi8-u", b"\xae", Some("╝")),
            ("latin5", b"\x80\xfd", Some("\u{80}ı")),
            ("ascii", b"\x80", None),
            ("utf-8", b"\xef\xbb\xbfa", Some("\u{feff}a")),
            ("utf-8-sig", b"\xef\xbb\xbfa", Some("a")),
            ("utf-16", b"\xfe\xff\0a", Some("a")),
            ("utf-16", b"a\0", Some("a")),
            ("utf-16-le", b"\xff\xfea\0", Some("\u{feff}a")),
            ("utf-16-be", b"\xd8\x3d\xde\0", Some("😀")),
            ("utf-16-be", b"\xde\0\0a", None),
            ("utf-16-be", b"\0a\xd8\x3d", None),
            ("utf-32", b"a\0\0\0", Some("a")),
            ("utf-32", b"\0\0\xfe\xff\0\0\0a", Some("a")),
            ("utf-32-le", b"\0\xd8\0\0", None),
            ("utf-32-le", b"a\0\0", None),
            ("shift_jis", b"\x82\xa0", Some("あ")),
        ] {
            assert_eq!(Charset::named(Some(name)).strict(bytes).as_deref(), text, "{name} {bytes:?}");
        }
        for (name, bytes, text) in [
            ("utf-8", &b"a\xffb\xc3"[..], "a\u{fffd}b\u{fffd}"),
            ("utf-16-be", b"\0a\xd8\0\0b\xd8\0\0", "a\u{fffd}b\u{fffd}"),
            ("utf-32-le", b"\0\xd8\0\0a\0\0\0b", "\u{fffd}a\u{fffd}"),
        ] {
            assert_eq!(Charset::named(Some(name)).lossy(bytes), text, "{name} {bytes:?}");
        }
    }

    #[test]
    fn a_stream_drops_a_cut_character_and_wants_an_order() {
        for (name, bytes, text) in [
            ("utf-8", &b"a\xc3"[..], Some("a")),
            ("utf-8", b"a\xf0\x9f\x98", Some("a")),
            ("utf-8", b"a\xc3b", None),
            ("utf-8", b"a\xff", None),
            ("utf-8", b"a\xed\xa0", None),
            ("utf-16", b"a\0", None),
            ("utf-16", b"\xff\xfea\0\x3d\xd8\0", Some("a")),
            ("utf-16-le", b"a\0b", Some("a")),
            ("utf-32", b"a\0\0\0", None),
            ("utf-32-le", b"a\0\0\0b", Some("a")),
            ("gbk", b"a\xc4", None),
        ] {
            assert_eq!(Charset::named(Some(name)).streamed(bytes).as_deref(), text, "{name} {bytes:?}");
        }
    }
}
