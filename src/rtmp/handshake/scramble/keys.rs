//! The keys of the types 8 and 9. Constants of the protocol: every player has them.

/// How many keys each cipher has.
pub(super) const COUNT: u8 = 15;

/// The key of XTEA with this number: its four words, little-endian.
pub(super) fn xtea(number: usize) -> [[u8; 4]; 4] {
    let words = XTEA.get(number).copied().unwrap_or_default();
    words.map(u32::to_le_bytes)
}

/// The key of Blowfish with this number: 24 bytes.
pub(super) fn blowfish(number: usize) -> [[u8; 8]; 3] {
    let words = BLOWFISH.get(number).copied().unwrap_or_default();
    words.map(u64::to_be_bytes)
}

const XTEA: [[u32; 4]; COUNT as usize] = [
    [0xbff0_34b2, 0x11d9_081f, 0xccdf_b795, 0x748d_e732],
    [0x086a_5eb6, 0x1743_090e, 0x6ef0_5ab8, 0xfe5a_39e2],
    [0x7b10_956f, 0x76ce_0521, 0x2388_a73a, 0x4401_49a1],
    [0xa943_f317, 0xebf1_1bb2, 0xa691_a5ee, 0x17f3_6339],
    [0x7a30_e00a, 0xb529_e22c, 0xa087_aea5, 0xc0cb_79ac],
    [0xbdce_0c23, 0x2feb_deff, 0x1cfa_ae16, 0x1123_239d],
    [0x55dd_3f7b, 0x77e7_e62e, 0x9bb8_c499, 0xc948_1ee4],
    [0x407b_b6b4, 0x71e8_9136, 0xa7ae_bf55, 0xca33_b839],
    [0xfcf6_bdc3, 0xb63c_3697, 0x7ce4_f825, 0x04d9_59b2],
    [0x28e0_91fd, 0x4195_4c4c, 0x7fb7_db00, 0xe3a0_66f8],
    [0x5784_5b76, 0x4f25_1b03, 0x46d4_5bcd, 0xa2c3_0d29],
    [0x0acc_eef8, 0xda55_b546, 0x0347_3452, 0x5863_713b],
    [0xb820_75dc, 0xa75f_1fee, 0xd842_68e8, 0xa72a_44cc],
    [0x07cf_6e9e, 0xa16d_7b25, 0x9fa7_ae6c, 0xd92f_5629],
    [0xfeb1_eae4, 0x8c8c_3ce1, 0x4e00_64a7, 0x6a38_7c2a],
];

const BLOWFISH: [[u64; 3]; COUNT as usize] = [
    [
        0x7934_774c_67d1_383a,
        0xdfb3_56be_8b7b_d024,
        0x38e0_7358_415d_6967,
    ],
    [
        0x46f6_b4cc_0193_e3a1,
        0x9e7d_3c65_5586_fd09,
        0x8ff7_b3c4_6f41_ca5c,
    ],
    [
        0x1ae7_e2f3_f914_7994,
        0xc0d3_9743_087b_b384,
        0x432f_9d84_3f21_019b,
    ],
    [
        0xd3e3_54b0_f71d_f62b,
        0x5a43_4d04_8364_3e0d,
        0x592f_61cb_b16a_590d,
    ],
    [
        0xc8c1_e9b8_1656_9921,
        0x7b5b_36b7_b59b_df06,
        0x492c_97f5_9548_857e,
    ],
    [
        0xebe5_e62e_a4ba_d42c,
        0xf216_e08f_6623_a943,
        0x41ce_3814_8495_0053,
    ],
    [
        0x66db_90f0_3b4f_f56f,
        0xe49c_2089_355e_d2b2,
        0xc39e_9f7f_63b2_2881,
    ],
    [
        0xbb20_aced_2a04_6a19,
        0x9498_9bc8_ffcd_93ef,
        0xc60d_56a7_eb13_d930,
    ],
    [
        0xbcf2_4382_0940_8a87,
        0x2543_6de6_bba4_b944,
        0x583f_217c_99bb_3f24,
    ],
    [
        0xec1a_aacd_cebd_5311,
        0xd2fb_83b6_c3ba_ab4f,
        0x6279_e865_a992_2876,
    ],
    [
        0xc60c_3003_9118_2d7b,
        0x79da_e1d5_6477_9a12,
        0xc5b1_d791_4f96_4ca3,
    ],
    [
        0xd77c_2abf_a6e7_857c,
        0x45ad_ff12_94d8_dea4,
        0x5c3d_79a4_4402_5d22,
    ],
    [
        0x1619_0d81_6a4c_c7f8,
        0xb8f9_4ecd_2c9e_9084,
        0xb208_2560_e11e_ae18,
    ],
    [
        0xe97c_5826_1b51_9e49,
        0x8260_61fc_a0a0_1bcd,
        0xf505_d6a6_6d07_88a3,
    ],
    [
        0x2b97_118b_d94e_d9df,
        0x20e3_9c10_e6a1_3521,
        0x11f9_130d_0b24_65b2,
    ],
];
