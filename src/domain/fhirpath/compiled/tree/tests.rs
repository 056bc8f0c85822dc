#![allow(clippy::unwrap_used, reason = "a panic is the failure of a test")]

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::domain::fhirpath::compiled::projection::Branch;
use crate::domain::json::{MAX_DEPTH, Outline};

/// JSON with what a [`Value`] cannot hold: members that stand twice, and their order.
#[derive(Clone, Debug)]
enum Document {
    Scalar(&'static str),
    Text(String),
    Array(Vec<Document>),
    Object(Vec<(String, Document)>),
}

const NAMES: [&str; 8] = ["code", "coding", "value", "valueQuantity", "_value", "system", "", "\u{e9}t\u{e9}"];
const SCALARS: [&str; 10] = ["null", "true", "false", "0", "-7", "6.5", "6.50", "1e3", "-12.25E-2", "900719925474099"];

fn document() -> impl Strategy<Value = Document> {
    let leaf = prop_oneof![
        3 => prop::sample::select(&SCALARS[..]).prop_map(Document::Scalar),
        2 => "[a-z\"\\\\\u{1}\u{e9}\u{1F600} {}\\[\\],:]{0,24}".prop_map(Document::Text),
    ];
    let member_name =
        prop_oneof![9 => prop::sample::select(&NAMES[..]).prop_map(str::to_owned), 1 => "[a-z\"\\\\]{0,9}"];
    leaf.prop_recursive(5, 96, 8, move |inner| {
        prop_oneof![
            4 => prop::collection::vec(inner.clone(), 0..5).prop_map(Document::Array),
            4 => prop::collection::vec((member_name.clone(), inner.clone()), 0..8).prop_map(Document::Object),
            1 => prop::collection::vec(("[a-z]{1,2}", inner), WIDE_TEST).prop_map(Document::Object),
        ]
    })
}

const WIDE_TEST: std::ops::Range<usize> = 28..48;

/// Writes documents, each time with other white space and escapes.
struct Writer<'r> {
    random: &'r mut dyn Iterator<Item = u8>,
    out: String,
}

impl Writer<'_> {
    fn write(&mut self, document: &Document) {
        self.space();
        match document {
            Document::Scalar(text) => self.out.push_str(text),
            Document::Text(text) => self.text(text),
            Document::Array(elements) => {
                self.list(elements, '[', ']', |writer, element| writer.write(element));
            }
            Document::Object(members) => self.list(members, '{', '}', |writer, (name, value)| {
                writer.space();
                writer.text(name);
                writer.space();
                writer.out.push(':');
                writer.write(value);
            }),
        }
        self.space();
    }

    fn list<T>(&mut self, items: &[T], open: char, close: char, mut write: impl FnMut(&mut Self, &T)) {
        self.out.push(open);
        for (position, item) in items.iter().enumerate() {
            if position > 0 {
                self.out.push(',');
            }
            write(self, item);
        }
        self.space();
        self.out.push(close);
    }

    fn space(&mut self) {
        let kind = usize::from(self.number() % 6);
        self.out.push_str(["", "", "", " ", "\n\t", "\r\n  "][kind]);
    }

    fn text(&mut self, text: &str) {
        self.out.push('"');
        for unit in text.chars() {
            if self.number().is_multiple_of(16) {
                let mut units = [0; 2];
                for unit in unit.encode_utf16(&mut units) {
                    self.out.push_str(&format!("\\u{unit:04X}"));
                }
            } else {
                let quoted = serde_json::to_string(&unit).unwrap();
                self.out.push_str(&quoted[1..quoted.len() - 1]);
            }
        }
        self.out.push('"');
    }

    fn number(&mut self) -> u8 {
        self.random.next().unwrap_or_default()
    }
}

fn written(document: &Document, random: &[u8]) -> String {
    let mut random = random.iter().copied().cycle();
    let mut writer = Writer { random: &mut random, out: String::new() };
    writer.write(document);
    writer.out
}

/// What a projection is to show of a value.
fn pruned(value: &Value, at: Branch, projection: &Projection, symbols: &Symbols) -> Value {
    match value {
        Value::Array(elements) => elements.iter().map(|element| pruned(element, at, projection, symbols)).collect(),
        Value::Object(members) => {
            let below = |name: &str| match projection.resolve(at) {
                Branch::WHOLE => Some(Branch::WHOLE),
                at => projection.find(at, symbols.get(name)?).map(|(_, below)| below),
            };
            let present = members.iter().filter(|(_, value)| !value.is_null());
            let read = present
                .filter_map(|(name, value)| Some((name.clone(), pruned(value, below(name)?, projection, symbols))));
            Value::Object(read.collect())
        }
        scalar => scalar.clone(),
    }
}

/// The value that a tree shows, by every way to look at it.
fn shown(tree: Tree<'_, '_>, node: NodeId, symbols: &Symbols) -> Value {
    match tree.kind(node) {
        Kind::Object => {
            let mut map = Map::new();
            for (name, member) in tree.members(node) {
                if let Some(symbol) = symbols.get(&name) {
                    assert_eq!(tree.member(node, symbol), Some(member));
                }
                let twice = map.insert(name.into_owned(), shown(tree, member, symbols));
                assert_eq!(twice, None);
            }
            for name in NAMES {
                let found = symbols.get(name).and_then(|symbol| tree.member(node, symbol));
                assert_eq!(found.is_some(), map.contains_key(name) && symbols.get(name).is_some(), "{name}");
            }
            Value::Object(map)
        }
        Kind::Array => tree.elements(node).map(|element| shown(tree, element, symbols)).collect(),
        Kind::String => {
            let text = tree.string(node).unwrap().into_owned();
            assert_eq!(tree.string_into(node, &mut "left over".to_owned()), Some(&*text));
            assert_eq!(tree.string_in(node, &Arena::new(1 << 24)), Some(&*text));
            assert!(tree.plain_string(node).is_none_or(|plain| plain == text));
            Value::String(text)
        }
        Kind::Number | Kind::True | Kind::False | Kind::Null => serde_json::from_str(tree.text(node)).unwrap(),
    }
}

/// A projection of random paths.
fn projection_of(paths: &[(Vec<usize>, bool)], symbols: &mut Symbols) -> Projection {
    let mut projection = Projection::new();
    for (path, is_whole) in paths {
        let mut at = Projection::ROOT;
        for name in path {
            at = projection.member(at, symbols.intern(NAMES[*name]));
        }
        if *is_whole {
            projection.whole(at);
        }
    }
    projection
}

fn whole() -> Projection {
    let mut projection = Projection::new();
    projection.whole(Projection::ROOT);
    projection
}

fn some_symbols() -> Symbols {
    let mut symbols = Symbols::new();
    for name in &NAMES[..5] {
        symbols.intern(name);
    }
    symbols
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_whole_tree_is_the_value(document in document(), random in prop::collection::vec(any::<u8>(), 1..40)) {
        let text = written(&document, &random);
        let value: Value = serde_json::from_str(&text).unwrap();
        let (projection, symbols) = (whole(), some_symbols());
        let mut buffer = TreeBuffer::new();
        let tree = buffer.read(text.as_str().into(), &projection, &symbols, usize::MAX).unwrap();
        prop_assert_eq!(shown(tree, tree.root(), &symbols), pruned(&value, Projection::ROOT, &projection, &symbols));
        prop_assert_eq!(tree.text(tree.root()), text.trim_ascii());
    }

    #[test]
    fn a_part_is_the_pruned_value(
        document in document(),
        random in prop::collection::vec(any::<u8>(), 1..40),
        paths in prop::collection::vec((prop::collection::vec(0..NAMES.len(), 0..4), prop::bool::weighted(0.1)), 0..9),
    ) {
        let text = written(&document, &random);
        let value: Value = serde_json::from_str(&text).unwrap();
        let mut symbols = Symbols::new();
        let projection = projection_of(&paths, &mut symbols);
        let mut buffer = TreeBuffer::new();
        buffer.read(r#"{"left":"over"}"#.into(), &whole(), &symbols, usize::MAX).unwrap();
        let tree = buffer.read(text.as_str().into(), &projection, &symbols, usize::MAX).unwrap();
        let expected = pruned(&value, Projection::ROOT, &projection, &symbols);
        prop_assert_eq!(shown(tree, tree.root(), &symbols), expected.clone());
        let root_text = tree.text(tree.root()).to_owned();
        if let Ok(outline) = Outline::read(&text) {
            let tree = buffer.read((&outline).into(), &projection, &symbols, usize::MAX).unwrap();
            prop_assert_eq!(shown(tree, tree.root(), &symbols), expected);
            prop_assert_eq!(tree.text(tree.root()), root_text);
        }
    }

    #[test]
    fn equality_is_that_of_values(
        one in document(),
        other in document(),
        random in prop::collection::vec(any::<u8>(), 1..40),
    ) {
        let (projection, symbols) = (whole(), some_symbols());
        let texts = [written(&one, &[0]), written(&one, &random), written(&other, &random)];
        let values = texts.each_ref().map(|text| {
            let value: Value = serde_json::from_str(text).unwrap();
            pruned(&value, Projection::ROOT, &projection, &symbols)
        });
        let mut buffers = [TreeBuffer::new(), TreeBuffer::new(), TreeBuffer::new()];
        let [mine, again, theirs] = &mut buffers;
        let mine = mine.read(texts[0].as_str().into(), &projection, &symbols, usize::MAX).unwrap();
        let again = again.read(texts[1].as_str().into(), &projection, &symbols, usize::MAX).unwrap();
        let theirs = theirs.read(texts[2].as_str().into(), &projection, &symbols, usize::MAX).unwrap();
        prop_assert!(Tree::deep_equal((mine, mine.root()), (again, again.root())));
        let same = Tree::deep_equal((mine, mine.root()), (theirs, theirs.root()));
        prop_assert_eq!(same, values[0] == values[2] );
    }

    #[test]
    fn no_text_is_too_strange(
        text in "[\\[\\]{}\",:\\\\ 0-9eE.+tnruefals\u{e9}-]{0,60}|.{0,60}",
        paths in prop::collection::vec((prop::collection::vec(0..NAMES.len(), 0..4), prop::bool::weighted(0.3)), 0..5),
    ) {
        never_panics(&text, &paths);
    }

    #[test]
    fn no_damage_is_too_strange(
        document in document(),
        random in prop::collection::vec(any::<u8>(), 1..40),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), "[\\[\\]{}\",:\\\\u0 ]?"), 1..4),
        paths in prop::collection::vec((prop::collection::vec(0..NAMES.len(), 0..4), prop::bool::weighted(0.3)), 0..5),
    ) {
        let mut letters: Vec<_> = written(&document, &random).chars().map(String::from).collect();
        for (position, letter) in cuts {
            let position = position.index(letters.len());
            letters[position] = letter;
        }
        never_panics(&letters.concat(), &paths);
    }
}

fn never_panics(text: &str, paths: &[(Vec<usize>, bool)]) {
    let mut symbols = some_symbols();
    let mut buffer = TreeBuffer::new();
    let well_formed = serde_json::from_str::<Value>(text);
    for projection in [whole(), projection_of(paths, &mut symbols)] {
        match (buffer.read(text.into(), &projection, &symbols, usize::MAX), &well_formed) {
            (Ok(tree), Ok(value)) => {
                let expected = pruned(value, Projection::ROOT, &projection, &symbols);
                assert_eq!(shown(tree, tree.root(), &symbols), expected);
            }
            (Ok(tree), Err(_)) => look_everywhere(tree, tree.root(), &symbols),
            (Err(_), found) => assert!(found.is_err(), "refused"),
        }
    }
}

fn look_everywhere(tree: Tree<'_, '_>, node: NodeId, symbols: &Symbols) {
    let _ = (tree.text(node), tree.string(node), Tree::deep_equal((tree, node), (tree, node)));
    for name in NAMES {
        let _ = symbols.get(name).and_then(|symbol| tree.member(node, symbol));
    }
    if tree.kind(node) == Kind::Array {
        tree.elements(node).for_each(|element| look_everywhere(tree, element, symbols));
    }
    tree.members(node).for_each(|(_, member)| look_everywhere(tree, member, symbols));
}

fn whole_value(text: &str) -> Option<Value> {
    let symbols = some_symbols();
    let mut buffer = TreeBuffer::new();
    let tree = buffer.read(text.into(), &whole(), &symbols, usize::MAX).ok()?;
    Some(shown(tree, tree.root(), &symbols))
}

#[test]
fn the_last_of_duplicates_wins_also_when_it_is_null() {
    assert_eq!(whole_value(r#"{"code":1,"x":2,"code":{"x":[3]}}"#), Some(json!({"x": 2, "code": {"x": [3]}})));
    assert_eq!(whole_value(r#"{"code":1,"code":null}"#), Some(json!({})));
    assert_eq!(whole_value(r#"{"code":null,"c\u006fde":1,"x":null}"#), Some(json!({"code": 1})));
}

#[test]
fn null_keeps_its_place_in_arrays() {
    assert_eq!(whole_value(r#"{"given":[null,"a"],"_given":[{"id":"1"},null]}"#).unwrap()["given"], json!([null, "a"]));
}

#[test]
fn what_is_not_read_makes_no_nodes() {
    let mut symbols = Symbols::new();
    let code = symbols.intern("code");
    let mut projection = Projection::new();
    projection.member(Projection::ROOT, code);
    let mut buffer = TreeBuffer::new();
    let text = r#"{"a":{"code":[1,2]},"code":[{"code":1},"x"],"b":"}\"{","c":-1.5e3}"#;
    let tree = buffer.read(text.into(), &projection, &symbols, usize::MAX).unwrap();
    assert_eq!(tree.len(), 4);
    let list = tree.member(tree.root(), code).unwrap();
    assert_eq!(tree.elements(list).map(|node| tree.text(node)).collect::<Vec<_>>(), [r#"{"code":1}"#, r#""x""#]);
    assert_eq!(tree.elements(tree.root()).collect::<Vec<_>>(), [tree.root()]);
}

#[test]
fn levels_are_bounded_and_no_number_of_them_hurts() {
    let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
    assert!(whole_value(&nested(MAX_DEPTH)).is_some());
    assert!(whole_value(&nested(MAX_DEPTH + 1)).is_none());
    assert!(whole_value(&nested(1_000_000)).is_none());
    let skipped = format!(r#"{{"x":{}}}"#, nested(1_000_000));
    let mut buffer = TreeBuffer::new();
    assert_eq!(buffer.read(skipped.as_str().into(), &Projection::new(), &Symbols::new(), usize::MAX).unwrap().len(), 1);
    let mut symbols = Symbols::new();
    let mut projection = Projection::new();
    projection.member(Projection::ROOT, symbols.intern("y"));
    assert_eq!(buffer.read(skipped.as_str().into(), &projection, &symbols, usize::MAX).unwrap().len(), 1);
}

#[test]
fn half_a_text_is_malformed() {
    let text = r#"{"code":{"coding":[{"system":"s","code":"\u00e9\"x"},true,-1.5e+3,null]},"x":"y\\"}"#;
    assert!(whole_value(text).is_some());
    for end in 0..text.len() {
        assert_eq!(whole_value(&text[..end]), None, "{end}");
    }
}

#[test]
fn a_tree_is_no_larger_than_it_may_be() {
    let symbols = some_symbols();
    let mut buffer = TreeBuffer::new();
    let text = format!("[{}1]", "1,".repeat(99));
    let mut read = |nodes: usize| {
        buffer.read(text.as_str().into(), &whole(), &symbols, nodes * size_of::<Node>()).map(Tree::bytes)
    };
    assert_eq!(read(100), Err(Unread::TooLarge));
    assert_eq!(read(101), Ok(101 * size_of::<Node>()));
}

#[test]
fn a_large_buffer_is_not_kept() {
    let symbols = some_symbols();
    let mut buffer = TreeBuffer::new();
    let large = format!("[{}1]", "1,".repeat(2 * KEPT_NODES));
    buffer.read(large.as_str().into(), &whole(), &symbols, usize::MAX).unwrap();
    buffer.trim();
    assert!(buffer.nodes.capacity() < KEPT_NODES);
}
