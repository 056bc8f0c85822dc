//! QuestionnaireResponse: the admission form.

use jiff::Timestamp;
use rand_chacha::ChaCha8Rng;

use super::super::chart::instant;
use super::super::json::{Json, object};
use super::super::people::pick;
use super::{Visit, narrative};

struct Question {
    link: &'static str,
    text: &'static str,
    answers: &'static [&'static str],
}

const QUESTIONS: &[Question] = &[
    Question {
        link: "reason",
        text: "Why are you here today?",
        answers: &["Chest pain", "Follow-up", "Fever since two days"],
    },
    Question {
        link: "allergies",
        text: "Do you have any allergies?",
        answers: &["None", "Penicillin", "Latex and pollen"],
    },
    Question {
        link: "medicines",
        text: "Which medicines do you take?",
        answers: &["None", "Metformin 500 mg", "Ramipril 5 mg"],
    },
    Question { link: "smoking", text: "Do you smoke?", answers: &["Never", "Formerly", "Ten a day"] },
    Question { link: "pain", text: "How strong is your pain from 0 to 10?", answers: &["0", "3", "7"] },
    Question {
        link: "sleep",
        text: "How did you sleep last week?",
        answers: &["Well", "Badly because of the pain", "As usual"],
    },
    Question {
        link: "falls",
        text: "Did you fall in the last year?",
        answers: &["No", "Once, at home", "Several times"],
    },
    Question { link: "contact", text: "Whom may we call?", answers: &["My partner", "My daughter", "Nobody"] },
];

pub(in super::super) fn response(visit: &Visit<'_>, id: &str, at: Timestamp, rng: &mut ChaCha8Rng) -> Json {
    let mut resource = object! {
        "resourceType": "QuestionnaireResponse",
        "id": id,
        "meta": object! {},
        "text": narrative("Admission form"),
        "questionnaire": "http://northwind.example.org/fhir/Questionnaire/admission",
        "status": "in-progress",
        "subject": visit.subject(),
        "encounter": visit.encounter(),
        "authored": instant(at),
        "source": visit.subject(),
        "item": Vec::new(),
    };
    answer(&mut resource, "in-progress", at, 3, rng);
    resource
}

/// Answers the first `count` questions (anew).
pub(in super::super) fn answer(resource: &mut Json, status: &str, at: Timestamp, count: usize, rng: &mut ChaCha8Rng) {
    resource.set("status", status);
    resource.set("authored", instant(at));
    let items = QUESTIONS.iter().take(count).map(|question| {
        object! {
            "linkId": question.link,
            "text": question.text,
            "answer": [object! { "valueString": pick(rng, question.answers) }],
        }
    });
    resource.set("item", items.collect::<Vec<_>>());
}

/// How many questions the form has.
pub(in super::super) const QUESTION_COUNT: usize = QUESTIONS.len();
