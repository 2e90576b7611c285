//! What a handshake costs the server, from C0 to the last byte of C2, and what RC4 costs behind an
//! encrypted one. Peers: rml_rtmp, which speaks the first two; exponents as long as the group and
//! y^q for the question whether a value is one; the `rc4` crate.

use criterion::{Criterion, Throughput};
use crypto_bigint::modular::{ConstMontyForm, ConstMontyParams};
use crypto_bigint::{U1024, const_monty_params};
use rc4::{KeyInit, Rc4, StreamCipher};
use rml_rtmp::handshake::{Handshake, HandshakeProcessResult, PeerType};
use streamfront::rtmp::handshake::{
    BLOCK, Cipher, ClientHandshake, ClientStyle, REPLY, Scheme, Scramble, Seed, ServerHandshake,
};

use crate::cpu_time::CpuTime;

const_monty_params!(
    Prime,
    U1024,
    "ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74\
     020bbea63b139b22514a08798e3404ddef9519b3cd3a431b302b0a6df25f1437\
     4fe1356d6d51c245e485b576625e7ec6f44c42e9a637ed6b0bff5cb6f406b7ed\
     ee386bfb5a899fa5ae9f24117c4b1fe649286651ece65381ffffffffffffffff",
    "The prime of the group."
);

/// All that a client of this style sends in its handshake: no server looks at C2.
fn client(style: ClientStyle) -> Vec<u8> {
    let mut bytes = Vec::new();
    ClientHandshake::new(Seed([2; 32]), style, &mut bytes);
    bytes.resize(REPLY, 0);
    bytes
}

/// The server's side, with the key agreed on the spot.
fn ours(bytes: &[u8]) -> Vec<u8> {
    let mut server = ServerHandshake::new(Seed([1; 32]), true);
    let (mut input, mut out) = (bytes, Vec::new());
    server.input(&mut input, &mut out).expect("a handshake");
    if let Some(agreement) = server.take_agreement() {
        let agreed = agreement.compute();
        server.key_agreed(agreed, &mut out).expect("a public value");
        server.input(&mut input, &mut out).expect("C2");
    }
    assert!(server.is_done() && out.len() == REPLY);
    out
}

fn rml(bytes: &[u8]) -> Vec<u8> {
    let mut server = Handshake::new(PeerType::Server);
    let (hello, last) = bytes.split_at(1 + BLOCK);
    let mut out = Vec::new();
    for part in [hello, last] {
        out.extend(match server.process_bytes(part).expect("a handshake") {
            HandshakeProcessResult::InProgress { response_bytes } => response_bytes,
            HandshakeProcessResult::Completed { response_bytes, .. } => response_bytes,
        });
    }
    out
}

/// The arithmetic of an agreement, the obvious way.
fn naive() -> [U1024; 2] {
    type Element = ConstMontyForm<Prime, { U1024::LIMBS }>;
    let exponent = U1024::from_be_slice(&[0xa5; 128]);
    let theirs = Element::new(&U1024::from_u8(9));
    let q = Prime::PARAMS.modulus().shr_vartime(1);
    assert_eq!(theirs.pow(&q).retrieve(), U1024::ONE);
    [Element::new(&U1024::from_u8(2)), theirs].map(|base| base.pow(&exponent).retrieve())
}

fn handshakes(criterion: &mut Criterion<CpuTime>) {
    let dialects = [
        ("plain", ClientStyle::Plain),
        ("digest", ClientStyle::Digest(Scheme::Second)),
    ];
    for (name, style) in dialects {
        let bytes = client(style);
        assert_eq!(rml(&bytes).len(), ours(&bytes).len());
        let mut group = criterion.benchmark_group(format!("handshake: {name}"));
        group.throughput(Throughput::Elements(1));
        group.bench_function("ours", |bencher| bencher.iter(|| ours(&bytes)));
        group.bench_function("rml_rtmp", |bencher| bencher.iter(|| rml(&bytes)));
        group.finish();
    }
    let types = [
        ("6", Scramble::None),
        ("8", Scramble::Xtea),
        ("9", Scramble::Blowfish),
    ];
    for (name, scramble) in types {
        let bytes = client(ClientStyle::Encrypted(scramble, Scheme::Second));
        let mut group = criterion.benchmark_group(format!("handshake: encrypted, type {name}"));
        group.throughput(Throughput::Elements(1));
        group.bench_function("ours", |bencher| bencher.iter(|| ours(&bytes)));
        group.bench_function("whole exponents and y^q alone", |bencher| {
            bencher.iter(naive)
        });
        group.finish();
    }
}

fn rc4(criterion: &mut Criterion<CpuTime>) {
    let mut cipher = Cipher::new(&[1; 16]);
    let mut peer = Rc4::new_from_slice(&[1; 16]).expect("a key");
    let mut buffer = vec![0; 128 * 1024];
    cipher.apply(&mut buffer);
    peer.apply_keystream(&mut buffer);
    assert!(buffer.iter().all(|byte| *byte == 0), "one undoes the other");
    let mut group = criterion.benchmark_group("RC4: 128 KiB in place");
    group.throughput(Throughput::Bytes(buffer.len() as u64));
    group.bench_function("ours", |bencher| bencher.iter(|| cipher.apply(&mut buffer)));
    group.bench_function("rc4", |bencher| {
        bencher.iter(|| peer.apply_keystream(&mut buffer));
    });
    group.finish();
}

/// Times them.
pub fn bench(criterion: &mut Criterion<CpuTime>) {
    handshakes(criterion);
    rc4(criterion);
}
