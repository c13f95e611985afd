//! `devdb check`: reading its arguments and printing what it found.

use std::process::ExitCode;

use super::args::{CheckArgs, CheckFormat};
use super::run::hazards;
use super::show::duration_text;
use super::ui::{Ui, dim, green, red, yellow};
use crate::config::Target;
use crate::error::Result;
use crate::report::{self, Case, Note};
use crate::workflow::{self, Check, CheckOptions, Context, Finding, Level, Tried, Way};

pub async fn run(ui: &Ui, context: &Context, args: &CheckArgs) -> Result<ExitCode> {
    if let Some(url) = &args.against {
        let target = Target::parse(url)?;
        let tried = workflow::try_remote(context, &target, args.apply).await?;
        show_tried(ui, &tried);
        return Ok(ExitCode::SUCCESS);
    }
    let options = CheckOptions {
        base: args.base.clone(),
        deny: hazards(&args.deny)?,
        sqlite: args.sqlite,
    };
    let check = workflow::check(context, &options).await?;
    match args.format {
        _ if ui.json => ui.print_json(&check),
        CheckFormat::Text => show(ui, &check),
        CheckFormat::Github => {
            ui.data(report::github(&cases(&check)).trim_end());
            show(ui, &check);
        }
        CheckFormat::Junit => ui.data(report::junit(&cases(&check)).trim_end()),
    }
    Ok(ExitCode::from(check.exit_code()))
}

fn cases(check: &Check) -> Vec<Case> {
    let note = |finding: &Finding| Note {
        is_error: finding.level == Level::Error,
        file: finding
            .file
            .as_ref()
            .map(|file| format!("{}{file}", check.prefix)),
        line: finding.line,
        message: finding.message.clone(),
        more: more(finding),
    };
    let rules = check.rules.iter();
    rules
        .map(|looked| {
            let own = check.findings.iter().filter(|f| f.rule == looked.rule);
            Case {
                name: looked.rule.name().to_owned(),
                outcome: looked.outcome.clone(),
                took: looked.took,
                findings: own.map(note).collect(),
            }
        })
        .collect()
}

fn more(finding: &Finding) -> Vec<String> {
    let detail = finding.detail.iter().flat_map(|detail| detail.lines());
    let mut more: Vec<String> = detail.map(str::to_owned).collect();
    more.extend(finding.hint.iter().map(|hint| format!("hint: {hint}")));
    more
}

fn show(ui: &Ui, check: &Check) {
    for looked in &check.rules {
        let mark = match looked.passed {
            true => green("✓"),
            false => red("✗"),
        };
        let line = format!("{mark} {}: {}", looked.rule.name(), looked.outcome);
        match looked.passed {
            true => ui.say(&line),
            false => ui.line(&line),
        }
        let own: Vec<&Finding> = check
            .findings
            .iter()
            .filter(|f| f.rule == looked.rule)
            .collect();
        for (at, finding) in own.iter().enumerate() {
            let level = match finding.level {
                Level::Error => red("error:"),
                Level::Warning => yellow("warning:"),
            };
            let place = match (&finding.file, finding.line) {
                (Some(file), Some(line)) => format!("{file}:{line}: "),
                (Some(file), None) => format!("{file}: "),
                _ => String::new(),
            };
            ui.line(&format!("  {level} {place}{}", finding.message));
            // The same hint for all of them is said once, below the last.
            let next = own.get(at + 1).and_then(|next| next.hint.as_ref());
            let mut lines = more(finding);
            if finding.hint.is_some() && next == finding.hint.as_ref() {
                lines.pop();
            }
            for line in lines {
                ui.line(&dim(&format!("    {line}")));
            }
        }
    }
    let errors = check.findings.iter().filter(|f| f.level == Level::Error);
    let took = dim(&format!("({})", duration_text(check.took)));
    match errors.count() {
        0 => ui.say(&format!("{} nothing is wrong {took}", green("✓"))),
        1 => ui.line(&format!("{} 1 error {took}", red("✗"))),
        n => ui.line(&format!("{} {n} errors {took}", red("✗"))),
    }
}

fn show_tried(ui: &Ui, tried: &Tried) {
    if ui.json {
        return ui.print_json(tried);
    }
    for (migration, took) in &tried.migrations {
        ui.say(&format!(
            "  {migration} {}",
            dim(&format!("({})", duration_text(*took)))
        ));
    }
    let how = match tried.way {
        Way::Nothing => "nothing is pending there".to_owned(),
        Way::Transaction => "they work there, in a transaction that was rolled back".to_owned(),
        Way::Clone => format!(
            "they work on an empty database of the same schema; not in a transaction there: {}",
            tried.because.as_deref().unwrap_or_default()
        ),
    };
    ui.say(&format!("{} {}: {how}", green("✓"), tried.database));
    if tried.applied {
        ui.say(&format!("{} and they are applied there now", green("✓")));
    }
}
