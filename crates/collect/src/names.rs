//! Short names of processes, from their command lines.

/// The last part of a path.
fn base(path: &str) -> &str {
    path.trim_end_matches('/')
        .rsplit('/')
        .next()
        .unwrap_or(path)
}

/// Whether a program is a Python by its name: `python`, `python3.12`, `pypy3`.
fn is_python(program: &str) -> bool {
    let rest = program
        .strip_prefix("python")
        .or_else(|| program.strip_prefix("pypy"));
    rest.is_some_and(|rest| {
        rest.chars()
            .all(|c| c.is_ascii_digit() || c == '.' || c == 't' || c == 'd' || c == 'w')
    })
}

/// What a person calls a process: the script, the module or the program it runs.
#[must_use]
pub fn process_name(command: &[String]) -> String {
    let Some(program) = command.first() else {
        return String::new();
    };
    let program = base(program);
    let name = if is_python(program) {
        python_name(&command[1..])
    } else if matches!(
        program,
        "sh" | "bash" | "dash" | "zsh" | "ksh" | "ash" | "busybox"
    ) {
        command[1..]
            .iter()
            .find(|word| !word.starts_with('-'))
            .filter(|word| !word.contains(char::is_whitespace))
            .map(|word| base(word).to_owned())
    } else {
        None
    };
    // A login shell's name begins with a dash.
    name.unwrap_or_else(|| program.trim_start_matches('-').to_owned())
}

/// The script or module among the arguments of a Python.
fn python_name(arguments: &[String]) -> Option<String> {
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let Some(letters) = word.strip_prefix('-') else {
            return Some(base(word).to_owned());
        };
        if letters.is_empty() {
            return Some("-".into());
        }
        if let Some(long) = letters.strip_prefix('-') {
            if long == "check-hash-based-pycs" {
                words.next();
            }
            continue;
        }
        // Letters can stand together; the first that takes a value ends the word.
        for (at, letter) in letters.char_indices() {
            let value = &letters[at + 1..];
            match letter {
                'm' => {
                    let module = if value.is_empty() {
                        words.next()?
                    } else {
                        value
                    };
                    return Some(module.to_owned());
                }
                'c' => {
                    let code = if value.is_empty() {
                        words.next()?
                    } else {
                        value
                    };
                    return Some(code_name(code));
                }
                'W' | 'X' => {
                    if value.is_empty() {
                        words.next();
                    }
                    break;
                }
                _ => {}
            }
        }
    }
    None
}

fn code_name(code: &str) -> String {
    // `multiprocessing` starts its workers and helpers this way.
    code.strip_prefix("from multiprocessing.")
        .and_then(|rest| rest.split_whitespace().next())
        .map_or_else(|| "-c".into(), |part| format!("multiprocessing.{part}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_people_use() {
        for (command, name) in [
            ("python app.py -v", "app.py"),
            ("/usr/bin/python3.12 -u -X dev /srv/app.py", "app.py"),
            ("python3 -Wignore -m http.server 80", "http.server"),
            ("python3 -Im pytest", "pytest"),
            ("python -X importtime -c pass", "-c"),
            ("python -mjson.tool x", "json.tool"),
            ("python", "python"),
            ("python3.13t -", "-"),
            ("python --check-hash-based-pycs always run.py", "run.py"),
            ("/bin/sh ./serve.sh 80", "serve.sh"),
            ("bash -x /opt/go.sh", "go.sh"),
            ("-bash", "bash"),
            ("/usr/sbin/nginx -g", "nginx"),
            ("pythonista x.py", "pythonista"),
        ] {
            let words: Vec<String> = command.split(' ').map(str::to_owned).collect();
            assert_eq!(process_name(&words), name, "{command}");
        }
        let spawn = [
            "python",
            "-c",
            "from multiprocessing.spawn import spawn_main; spawn_main(3)",
        ];
        assert_eq!(
            process_name(&spawn.map(str::to_owned)),
            "multiprocessing.spawn"
        );
        let shell = ["sh", "-c", "echo 1; sleep 2"];
        assert_eq!(process_name(&shell.map(str::to_owned)), "sh");
        assert_eq!(process_name(&[]), "");
    }
}
