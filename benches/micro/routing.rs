//! From a host to its distribution: an exact name, a wildcard, a miss, with 100 and with 100,000
//! names, which must cost the same; and a table of 100,000 names made anew, as a change of one name
//! does. The peer of the lookups is the question to a HashMap alone, which has neither wildcards
//! nor case.

use std::collections::HashMap;
use std::hint::black_box;

use criterion::{Criterion, Throughput};
use streamfront::catalog::host::HostTable;

use crate::cpu_time::CpuTime;

/// Hosts looked up in one go, in an order that jumps about.
const LOOKUPS: usize = 1_000;

/// Names of the small and of the large table.
const SIZES: [usize; 2] = [100, 100_000];

/// One name in ten is a wildcard.
fn patterns(names: usize) -> Vec<String> {
    let pattern = |n: usize| match n % 10 {
        0 => format!("*.customer{n}.example.com"),
        _ => format!("films{n}.example.com"),
    };
    (0..names).map(pattern).collect()
}

fn table(patterns: &[String]) -> HostTable<usize> {
    let mut table = HostTable::new();
    for (value, pattern) in patterns.iter().enumerate() {
        table.insert(pattern, value).expect("a host");
    }
    table
}

/// Hosts that `patterns` lead to, or their neighbours that lead nowhere.
fn hosts(patterns: &[String], kind: &str) -> Vec<String> {
    let wildcard = kind == "wildcard";
    let fitting: Vec<&String> = patterns
        .iter()
        .filter(|pattern| pattern.starts_with('*') == wildcard)
        .collect();
    let host = |n: usize| {
        let pattern = fitting[n.wrapping_mul(7_919) % fitting.len()];
        match kind {
            "miss" => format!("no{pattern}"),
            _ => pattern.replace('*', "www"),
        }
    };
    (0..LOOKUPS).map(host).collect()
}

fn found<'a>(hosts: &'a [String], find: impl Fn(&'a str) -> Option<usize>) -> usize {
    let found = hosts.iter().filter_map(|host| find(host));
    found.fold(0, usize::wrapping_add)
}

/// Times it.
pub fn bench(criterion: &mut Criterion<CpuTime>) {
    for kind in ["exact", "wildcard", "miss"] {
        let mut group = criterion.benchmark_group(format!("routing {kind}"));
        group.throughput(Throughput::Elements(LOOKUPS as u64));
        for names in SIZES {
            let patterns = patterns(names);
            let (table, hosts) = (table(&patterns), hosts(&patterns, kind));
            let map: HashMap<&str, usize> = patterns
                .iter()
                .enumerate()
                .map(|(value, pattern)| (pattern.as_str(), value))
                .collect();
            let ours = || found(&hosts, |host| table.lookup(host).copied());
            let peer = || found(&hosts, |host| map.get(host).copied());
            match kind {
                "exact" => assert_eq!(ours(), peer()),
                "miss" => assert_eq!((ours(), peer()), (0, 0)),
                _ => assert!(ours() > 0 && peer() == 0),
            }
            group.bench_function(format!("ours, {names} names"), |bench| {
                bench.iter(|| black_box(ours()))
            });
            group.bench_function(format!("HashMap alone, {names} names"), |bench| {
                bench.iter(|| black_box(peer()))
            });
        }
        group.finish();
    }
    let names = SIZES[1];
    let patterns = patterns(names);
    let mut group = criterion.benchmark_group("routing table anew");
    group.throughput(Throughput::Elements(names as u64));
    group.bench_function(format!("ours, {names} names"), |bench| {
        bench.iter(|| black_box(table(&patterns)))
    });
    group.finish();
}
