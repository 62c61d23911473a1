// SPDX-License-Identifier: MIT OR Apache-2.0

//! The tags of RPM headers: their numbers and types, as rpm's `rpmtag.h` has them.

/// The types of values.
pub(super) mod kind {
    pub const INT16: u32 = 3;
    pub const INT32: u32 = 4;
    pub const INT64: u32 = 5;
    pub const STRING: u32 = 6;
    pub const BINARY: u32 = 7;
    pub const STRINGS: u32 = 8;
    /// Strings of which each is for a language.
    pub const TRANSLATED: u32 = 9;
}

/// Declares tags, each by its name and number, and lists them all.
macro_rules! tags {
    ($list:ident: $($name:ident = $number:literal,)*) => {
        $(pub const $name: u32 = $number;)*
        /// All of them.
        pub const $list: &[u32] = &[$($name),*];
    };
}

/// Tags of the part that holds signatures.
pub(super) mod signature {
    use super::kind::{BINARY, INT32, INT64, STRING, STRINGS};

    pub const REGION: u32 = 62;
    pub const DSA_HEADER: u32 = 267;
    pub const RSA_HEADER: u32 = 268;
    pub const SHA1_HEADER: u32 = 269;
    pub const SHA256_HEADER: u32 = 273;
    /// The signatures of the header once more, in base64, for RPM version 6.
    pub const OPENPGP: u32 = 278;
    pub const PGP: u32 = 1002;
    pub const MD5: u32 = 1004;
    pub const GPG: u32 = 1005;
    pub const RESERVED: u32 = 1008;

    /// Every tag that rpmcanon knows, and the one for RPM version 6, with its type, and the length of
    /// its value where it has but one. rpmcanon takes out whatever else is there; rpm reads it.
    pub const ALL: &[(u32, u32, Option<usize>)] = &[
        (DSA_HEADER, BINARY, None),
        (RSA_HEADER, BINARY, None),
        (SHA1_HEADER, STRING, Some(41)),
        // The sizes of the package and its archive.
        (270, INT64, Some(8)),
        (271, INT64, Some(8)),
        (SHA256_HEADER, STRING, Some(65)),
        (OPENPGP, STRINGS, None),
        // The same sizes in 32 bits.
        (1000, INT32, Some(4)),
        (1007, INT32, Some(4)),
        (PGP, BINARY, None),
        (MD5, BINARY, Some(16)),
        (GPG, BINARY, None),
        (RESERVED, BINARY, None),
    ];
}

/// Where the region of a header stands in its index.
pub(super) const HEADER_REGION: u32 = 63;

/// What comes before a version where versions are compared.
pub(super) const EPOCH: u32 = 1003;

/// What a package of RPM version 6 has.
pub(super) const RPM_FORMAT: u32 = 5114;

tags! { OURS:
    LANGUAGES = 100,
    NAME = 1000,
    VERSION = 1001,
    RELEASE = 1002,
    SUMMARY = 1004,
    DESCRIPTION = 1005,
    BUILD_TIME = 1006,
    BUILD_HOST = 1007,
    SIZE = 1009,
    VENDOR = 1011,
    LICENSE = 1014,
    PACKAGER = 1015,
    GROUP = 1016,
    OS = 1021,
    ARCH = 1022,
    POST_INSTALL = 1024,
    PRE_UNINSTALL = 1025,
    FILE_SIZES = 1028,
    FILE_MODES = 1030,
    FILE_RDEVS = 1033,
    FILE_TIMES = 1034,
    FILE_DIGESTS = 1035,
    FILE_LINKS = 1036,
    FILE_FLAGS = 1037,
    FILE_USERS = 1039,
    FILE_GROUPS = 1040,
    SOURCE_RPM = 1044,
    FILE_VERIFY_FLAGS = 1045,
    PROVIDE_NAMES = 1047,
    REQUIRE_FLAGS = 1048,
    REQUIRE_NAMES = 1049,
    REQUIRE_VERSIONS = 1050,
    RPM_VERSION = 1064,
    CHANGE_TIMES = 1080,
    CHANGE_NAMES = 1081,
    CHANGE_TEXTS = 1082,
    POST_INSTALL_PROGRAM = 1086,
    PRE_UNINSTALL_PROGRAM = 1087,
    COOKIE = 1094,
    FILE_DEVICES = 1095,
    FILE_INODES = 1096,
    FILE_LANGUAGES = 1097,
    PROVIDE_FLAGS = 1112,
    PROVIDE_VERSIONS = 1113,
    FILE_FOLDERS = 1116,
    BASE_NAMES = 1117,
    FOLDER_NAMES = 1118,
    PAYLOAD_FORMAT = 1124,
    PAYLOAD_COMPRESSOR = 1125,
    PAYLOAD_FLAGS = 1126,
    FILE_DIGEST_ALGORITHM = 5011,
    ENCODING = 5062,
    PAYLOAD_DIGEST = 5092,
    PAYLOAD_DIGEST_ALGORITHM = 5093,
    PAYLOAD_DIGEST_UNPACKED = 5097,
}

/// Tags by their types: ranges of numbers, both ends included.
const TYPES: &[(u32, &[(u32, u32)])] = &[
    (1, &[(1029, 1029)]),
    (kind::INT16, &[(1030, 1030), (1033, 1033)]),
    (
        kind::INT32,
        &[
            (1003, 1003),
            (1006, 1006),
            (1008, 1009),
            (1028, 1028),
            (1034, 1034),
            (1037, 1037),
            (1045, 1046),
            (1048, 1048),
            (1051, 1053),
            (1068, 1069),
            (1080, 1080),
            (1095, 1096),
            (1106, 1106),
            (1112, 1112),
            (1114, 1114),
            (1116, 1116),
            (1119, 1119),
            (1127, 1129),
            (1134, 1134),
            (1140, 1141),
            (1143, 1145),
            (1158, 1158),
            (1161, 1161),
            (1195, 1195),
            (5011, 5011),
            (5017, 5027),
            (5032, 5033),
            (5037, 5037),
            (5045, 5045),
            (5048, 5048),
            (5051, 5051),
            (5054, 5054),
            (5057, 5057),
            (5068, 5068),
            (5070, 5070),
            (5072, 5072),
            (5078, 5078),
            (5080, 5080),
            (5082, 5082),
            (5084, 5085),
            (5091, 5091),
            (5093, 5093),
        ],
    ),
    (kind::INT64, &[(5008, 5009)]),
    (
        kind::STRING,
        &[
            (1000, 1002),
            (1007, 1007),
            (1010, 1011),
            (1014, 1015),
            (1020, 1026),
            (1044, 1044),
            (1064, 1064),
            (1079, 1079),
            (1094, 1094),
            (1122, 1126),
            (1132, 1132),
            (1151, 1152),
            (1155, 1155),
            (1196, 1196),
            (5012, 5016),
            (5034, 5034),
            (5062, 5062),
            (5096, 5096),
            (5098, 5101),
        ],
    ),
    (kind::BINARY, &[(1012, 1013), (1043, 1043), (1146, 1146)]),
    (
        kind::STRINGS,
        &[
            (100, 100),
            (1018, 1019),
            (1027, 1027),
            (1035, 1036),
            (1039, 1040),
            (1047, 1047),
            (1049, 1050),
            (1054, 1055),
            (1059, 1062),
            (1065, 1067),
            (1081, 1082),
            (1085, 1092),
            (1097, 1099),
            (1113, 1113),
            (1115, 1115),
            (1117, 1118),
            (1120, 1121),
            (1133, 1133),
            (1135, 1135),
            (1142, 1142),
            (1147, 1150),
            (1153, 1154),
            (1156, 1157),
            (1159, 1160),
            (5000, 5002),
            (5005, 5007),
            (5010, 5010),
            (5030, 5031),
            (5035, 5036),
            (5040, 5044),
            (5046, 5047),
            (5049, 5050),
            (5052, 5053),
            (5055, 5056),
            (5058, 5061),
            (5066, 5067),
            (5069, 5069),
            (5071, 5071),
            (5076, 5077),
            (5079, 5079),
            (5081, 5081),
            (5086, 5090),
            (5092, 5092),
            (5097, 5097),
        ],
    ),
    (kind::TRANSLATED, &[(1004, 1005), (1016, 1016)]),
];

/// The type of a tag's value; `None` if rpm gives it none.
pub(super) fn type_of(tag: u32) -> Option<u32> {
    let holds = |ranges: &[(u32, u32)]| {
        ranges
            .iter()
            .any(|(first, last)| (*first..=*last).contains(&tag))
    };
    let (kind, _) = TYPES.iter().find(|(_, ranges)| holds(ranges))?;
    Some(*kind)
}

/// What a tag that none of our packages has would do, as far as a reader should know at once.
pub(super) fn purpose(tag: u32) -> &'static str {
    match tag {
        1003 => "an epoch, by which it would be newer than any other",
        1023 | 1085 => "a script before the installation",
        1026 | 1088 => "a script after the erasure",
        1151 | 1153 => "a script before the transaction",
        1152 | 1154 => "a script after the transaction",
        5104..=5109 => "a script around the transaction that erases it",
        1079 | 1091 => "a script for `rpm --verify`",
        1065..=1069 | 1092 => "a trigger",
        5066..=5072 | 5076..=5082 | 5084..=5089 => "a file trigger",
        1053..=1055 => "conflicts",
        1090 | 1114 | 1115 => "names of packages that it would replace",
        5035..=5037 | 5046..=5057 => "weak dependencies",
        5010 => "capabilities of files",
        1098 => "prefixes by which it could be relocated",
        5020..=5027 => "flags of a script, by which rpm expands it first",
        5090 | 5091 => "signatures of files",
        _ => "something unknown",
    }
}
