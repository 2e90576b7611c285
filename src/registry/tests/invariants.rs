//! What holds whatever several accounts do, with a store that fails at times and restarts.

use super::*;

/// Something that somebody does. Numbers choose among what there is.
#[derive(Debug, Clone)]
enum Step {
    Create {
        account: u8,
        reference: u8,
        names: Vec<u8>,
        enabled: bool,
        repeat: bool,
    },
    Update {
        account: u8,
        which: u8,
        names: Vec<u8>,
        enabled: bool,
        stale: bool,
    },
    Deploy(u8),
    Delete {
        account: u8,
        which: u8,
    },
    Tag {
        account: u8,
        which: u8,
        key: u8,
    },
    Identity {
        account: u8,
        reference: u8,
    },
    Fail(bool),
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let names = || proptest::collection::vec(0_u8..6, 0..3);
    let step = prop_oneof![
        4 => (0_u8..3, 0_u8..8, names(), any::<bool>(), any::<bool>()).prop_map(
            |(account, reference, names, enabled, repeat)| Step::Create {
                account, reference, names, enabled, repeat
            }
        ),
        4 => (0_u8..3, any::<u8>(), names(), any::<bool>(), proptest::bool::weighted(0.1)).prop_map(
            |(account, which, names, enabled, stale)| Step::Update {
                account, which, names, enabled, stale
            }
        ),
        3 => any::<u8>().prop_map(Step::Deploy),
        3 => (0_u8..3, any::<u8>()).prop_map(|(account, which)| Step::Delete { account, which }),
        1 => (0_u8..3, any::<u8>(), 0_u8..4)
            .prop_map(|(account, which, key)| Step::Tag { account, which, key }),
        1 => (0_u8..3, 0_u8..8)
            .prop_map(|(account, reference)| Step::Identity { account, reference }),
        1 => proptest::bool::weighted(0.3).prop_map(Step::Fail),
        1 => Just(Step::Restart),
    ];
    proptest::collection::vec(step, 1..60)
}

fn drawn(reference: &str, names: &[u8], enabled: bool) -> StreamingConfig {
    let names: BTreeSet<&u8> = names.iter().collect();
    StreamingConfig {
        aliases: names
            .iter()
            .map(|n| alias(&format!("n{n}.example.com")))
            .collect(),
        enabled,
        ..config(reference)
    }
}

fn quota() -> Rules {
    Rules {
        quotas: Quotas {
            streaming: 4,
            identities: 3,
            ..Quotas::default()
        },
        ..Rules::default()
    }
}

/// What an answer does not tell: which ETags ever were.
#[derive(Default)]
struct Seen {
    etags: HashSet<String>,
    ids: HashSet<String>,
}

async fn take(step: &Step, registry: &Registry, seen: &mut Seen) {
    let state = registry.state();
    let pick = |which: u8| {
        let count = state.streaming.len().max(1);
        state
            .streaming
            .values()
            .nth(usize::from(which) % count)
            .cloned()
    };
    match step.clone() {
        Step::Create {
            account,
            reference,
            names,
            enabled,
            repeat,
        } => {
            let repeat = if repeat {
                Repeat::Answered
            } else {
                Repeat::Refused
            };
            let config = drawn(&reference.to_string(), &names, enabled);
            let made = registry
                .create_streaming(&author(account), config, Tags::new(), repeat)
                .await;
            let before = |id: &String| state.streaming.contains_key(id);
            if let Ok(record) = made.as_ref()
                && !before(&record.head.id)
            {
                assert!(seen.ids.insert(record.head.id.clone()), "an id came twice");
                assert!(
                    seen.etags.insert(record.head.etag.clone()),
                    "an ETag came twice"
                );
            }
        }
        Step::Update {
            account,
            which,
            names,
            enabled,
            stale,
        } => {
            let Some(old) = pick(which) else { return };
            let etag = if stale {
                old.head.former.first()
            } else {
                Some(&old.head.etag)
            };
            let config = drawn(&old.config.caller_reference, &names, enabled);
            let answer = registry
                .update_streaming(
                    &author(account),
                    &old.head.id,
                    etag.map(String::as_str),
                    config,
                )
                .await;
            if let Ok(record) = answer {
                assert!(!stale && old.head.account == self::account(account));
                assert!(
                    seen.etags.insert(record.head.etag.clone()),
                    "an ETag came twice"
                );
                assert_eq!(registry.state().status(&record), Status::InProgress);
            }
        }
        Step::Deploy(which) => {
            let Some(record) = pick(which) else { return };
            registry.deployed(&record.head.id, &record.head.etag);
        }
        Step::Delete { account, which } => {
            let Some(old) = pick(which) else { return };
            let answer = registry
                .delete_streaming(&author(account), &old.head.id, Some(&old.head.etag))
                .await;
            let gone = !registry.state().streaming.contains_key(&old.head.id);
            assert_eq!(gone, answer.is_ok());
            assert!(!gone || !old.config.enabled && old.head.account == self::account(account));
        }
        Step::Tag {
            account,
            which,
            key,
        } => {
            let Some(record) = pick(which) else { return };
            let pair = tags(&[(&key.to_string(), "")]);
            let _ = registry.tag(&author(account), &arn(&record), pair).await;
        }
        Step::Identity { account, reference } => {
            let config = IdentityConfig {
                caller_reference: reference.to_string(),
                comment: String::new(),
            };
            let _ = registry
                .create_identity(&author(account), config, Repeat::Refused)
                .await;
        }
        Step::Fail(_) | Step::Restart => {}
    }
}

/// What always holds.
fn check(state: &State) {
    let mut names = HashSet::new();
    let mut references = HashSet::new();
    for record in state.streaming.values() {
        let own = alias(&record.domain_name);
        for name in record.config.aliases.iter().chain([&own]) {
            assert!(names.insert(name.clone()), "{name} belongs to two");
        }
        let reference = (&record.head.account, &record.config.caller_reference);
        assert!(references.insert(reference), "{reference:?} twice");
        assert!(record.head.created <= record.head.modified);
    }
    for n in 0..3 {
        assert!(state.list_streaming(&account(n), None, 100).items.len() <= 4);
        assert!(state.list_identities(&account(n), None, 100).items.len() <= 3);
    }
}

async fn run(steps: Vec<Step>) {
    let store = Arc::new(Memory::default());
    let mut registry = open(&store, quota()).await;
    let mut seen = Seen::default();
    for step in steps {
        take(&step, &registry, &mut seen).await;
        let state = registry.state();
        check(&state);
        match step {
            Step::Fail(failing) => store.fail(failing),
            Step::Restart => {
                drop(registry);
                registry = open(&store, quota()).await;
                assert!(registry.state().deployed.is_empty());
            }
            _ => {}
        }
        let now = registry.state();
        assert_eq!(now.streaming, state.streaming);
        assert_eq!(now.identities, state.identities);
        // What is shown is what is kept.
        let kept = store.load().await.unwrap();
        assert_eq!(kept.len(), state.streaming.len() + state.identities.len());
        for record in kept {
            match record {
                Record::Streaming(record) => assert_eq!(*state.streaming[&record.head.id], record),
                Record::Identity(record) => assert_eq!(*state.identities[&record.head.id], record),
                _ => panic!("nobody made it"),
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_accounts_do_the_rules_hold(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(run(steps));
    }
}
