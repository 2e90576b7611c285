//! Encrypted handshakes against answers that were computed without this code.
//!
//! A Python program of this project's (`hashlib`, `hmac`, `pow()`, ten lines of RC4, XTEA and
//! Blowfish by their definitions) makes the same handshakes from spec/rtmp.md section 5 and from how
//! `Seed::fill` spreads a seed: block n of the bytes for a purpose is the HMAC, keyed by the seed, of
//! the purpose and n in four bytes. The client is not ours either: byte n of its C1 is
//! 7n + 11 * floor(n / 256) modulo 256, with version 9.0.124.2, the public value of the exponent
//! 0x010203..20 and a signature in their places. The server's seed is 32 times 7.

use sha2::{Digest, Sha256};

use super::cipher::key;
use super::digest::{self, Signer};
use super::group::{Member, Value};
use super::{BLOCK, Block, KeyAgreed, Scheme, Scramble, Seed, ServerHandshake, Version};

const CLIENT_VALUE: &str = "457120764f3a1e6fd58103e41a4093a6c8bc1d97cb8759de41c21afdd2d3048a\
    5ef3d88ce24aa6ba4fe30bcfb0b0f75abf1a8aeaff3723f1bf53740c902005e1\
    199fabad7c538e94a7034fd585339a02f3634893f748929d2a7257643e398130\
    541ae64124c17d4507a97f1cbebeb7b933642b8df479eb59e36cfeffbf1671dd";
const SERVER_VALUE: &str = "c80a2a213bcab29f20aa372c115d4d59873cb1ce738f084c4c678844a8590405\
    e0d0aa4b2a20252b64358b768fdb8e567ad9d135d5f635297e8db758596e0c45\
    c8090e4d77d4915872d6fcb5a0b7ffad59861bdf1ec2518ba0b5c3b7770f2376\
    4a37b9fc40c60a93f4136bd791ea436b9c2b0e318429a2256f44c66e5b19838c";
const SECRET: &str = "cd4a1a0717a11c92d93722224956cef53d720bf4c691ccc82c3147b113533238\
    1ddabfbe255c3d0e7148ba2f67072097b308eb21cd85cb1f3062c1ba33035f31\
    efae7ff60498ebe0fe06483098f6a3242ecaba9f89e50afe67a74b95a9374ca7\
    ae2db07aedf38cafc58e27caf106e1bed91319f512c2d732ad3848f7c2c89bdf";
const SERVER_INPUT_KEY: &str = "908c3e89bacd3724345f7a9677796e5b";
const SERVER_OUTPUT_KEY: &str = "6dcb8a896d915c861e18089c15a80ba2";
/// What sixteen zeros are enciphered to, first thing behind the handshake.
const SERVER_INPUT: &str = "4c9d95130708d0391bc4fef7379189c7";
const SERVER_OUTPUT: &str = "b61123a4525b0bc0ddf5bc3dd5b17a28";

/// What is known of both handshakes in one scheme.
struct Known {
    scheme: Scheme,
    /// Where public value and signature of C1 stand.
    client_places: [usize; 2],
    client_digest: &'static str,
    /// Where public value and signature of S1 stand.
    server_places: [usize; 2],
    server_digest: &'static str,
    /// Scramble, signature of S2, SHA-256 of S0, S1 and S2.
    replies: [(Scramble, &'static str, &'static str); 3],
}

const KNOWN: [Known; 2] = [
    Known {
        scheme: Scheme::First,
        client_places: [922, 278],
        client_digest: "107c056be3f67a00fe42ca4b65aca6149a970a00413c3b3f455bba0dde29e232",
        server_places: [915, 487],
        server_digest: "485bfa332e30f05eac8fc6e1a8fa49636ec05220e2772b37681b9fc4e3e074b2",
        replies: [
            (
                Scramble::None,
                "f5c147a985a9aa6937c877b558038382a47390b7b3f88ddc80d6a8f4ae5215af",
                "a2f96bd2737fddfec59a55d6b83a763fcbfec357a509d6b1f971c0331175eb76",
            ),
            (
                Scramble::Xtea,
                "2396fc7e25aba04fe1163020568c39bef64fb3960ecba808911bb6fa864a35d5",
                "6854e4e4c638cb5f417a35e246116e24a0f4d9a2a8bc67e96f66c8953aa75076",
            ),
            (
                Scramble::Blowfish,
                "e38d1a61a32122a471637de9fd46e69f69bd53d012abf633bc441db578f95d83",
                "6a8144c3b20a4f10096d304ee674deac37ea5d6b96c9f86c5dafe4fbd059d6ab",
            ),
        ],
    },
    Known {
        scheme: Scheme::Second,
        client_places: [182, 1062],
        client_digest: "13e789494796a17c930d5bcb34588f8302f8da5782354fd0e9bbe33e5bb2e5a1",
        server_places: [503, 1444],
        server_digest: "96caf77d43d871d78ee17895d978780ab3c6e812cd2d847fcbb021eb7b8a4df6",
        replies: [
            (
                Scramble::None,
                "6d21e19e63361b6bc597833e784eac060c9ba11d1fa869557f09d27e0ac00209",
                "e787367f9475ab9d90cf0b4ea56b1e1817e27024e5e2f6f190438723cb549ed0",
            ),
            (
                Scramble::Xtea,
                "3ea622b40900d48e9f216a939ce491e12d5eb7aa8bd154e5118662504781466f",
                "fa03d73f61e81e296c6b6981a0188d7c1687b0b9aaf5e2f93270cbef7bc406e0",
            ),
            (
                Scramble::Blowfish,
                "d07ee5a6366f1ec4b508ca7a9f846258963796dc9c57e8b634940f50f663c8d2",
                "be041e9a2cdb69fbafb6f0c399c3b4fa7e8305b57064fc624a0d06d93189bd3c",
            ),
        ],
    },
];

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(hex: &str) -> Value {
    let digits = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    std::array::from_fn(|at| digits(2 * at))
}

/// C1 of the other program's client, and its signature.
fn client_block(scheme: Scheme) -> (Block, [u8; 32]) {
    let mut block: Block = std::array::from_fn(|n| ((7 * n + n / 256 * 11) % 256) as u8);
    block[4..8].copy_from_slice(&[9, 0, 124, 2]);
    scheme.set_value(&mut block, &bytes(CLIENT_VALUE));
    let digest = digest::sign(&mut block, scheme, Signer::Player);
    (block, digest)
}

#[test]
fn values_secret_and_keys_are_those_of_the_other_program() {
    let exponent = std::array::from_fn(|at| at as u8 + 1);
    let ours = Member::GENERATOR.raise(&exponent);
    assert_eq!(hex(&ours), CLIENT_VALUE);
    let theirs = bytes(SERVER_VALUE);
    let secret = Member::new(&theirs).unwrap().raise(&exponent);
    assert_eq!(hex(&secret), SECRET);
    assert_eq!(hex(&key(&secret, &theirs)), SERVER_INPUT_KEY);
    assert_eq!(hex(&key(&secret, &ours)), SERVER_OUTPUT_KEY);
}

#[test]
fn the_server_answers_what_the_other_program_answers() {
    for known in KNOWN {
        let (hello, digest) = client_block(known.scheme);
        let client_places = [
            known.scheme.value_at(&hello),
            known.scheme.digest_at(&hello),
        ];
        assert_eq!(client_places, known.client_places);
        assert_eq!(hex(&digest), known.client_digest);
        for (scramble, signature, hash) in known.replies {
            let version = Version::Encrypted(scramble);
            let mut server = ServerHandshake::new(Seed([7; 32]), true);
            let mut input = vec![version.byte()];
            input.extend_from_slice(&hello);
            let mut reply = Vec::new();
            server.input(&mut input.as_slice(), &mut reply).unwrap();
            let agreed: KeyAgreed = server.take_agreement().unwrap().compute();
            server.key_agreed(agreed, &mut reply).unwrap();

            assert_eq!(reply[0], version.byte());
            let block = Block::try_from(&reply[1..=BLOCK]).unwrap();
            let places = [
                known.scheme.value_at(&block),
                known.scheme.digest_at(&block),
            ];
            assert_eq!(places, known.server_places);
            assert_eq!(hex(&block[places[0]..][..128]), SERVER_VALUE);
            assert_eq!(hex(&block[places[1]..][..32]), known.server_digest);
            assert_eq!(hex(&reply[reply.len() - 32..]), signature);
            assert_eq!(hex(&Sha256::digest(&reply)), hash);

            let mut ciphers = server.take_ciphers().unwrap();
            let (mut input, mut output) = ([0; 16], [0; 16]);
            ciphers.input.apply(&mut input);
            ciphers.output.apply(&mut output);
            assert_eq!(
                (hex(&input), hex(&output)),
                (SERVER_INPUT.into(), SERVER_OUTPUT.into())
            );
        }
    }
}
