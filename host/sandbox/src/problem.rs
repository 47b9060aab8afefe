//! What is wrong with a component, as data.

use serde::Serialize;

/// One reason why a component is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// A stable name for the kind of problem.
    pub code: ProblemCode,
    /// The interface it is about, as the component names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// The function in that interface.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// Where in the function's types: `parameter url`, `result ok.proceed.mode`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// What the contract has there.
    pub expected: String,
    /// What the component has there.
    pub found: String,
    /// What its author or operator can do.
    pub help: String,
    /// The grant that would do, as an operator writes it; one for requests names no host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grant: Option<&'static str>,
}

/// The kinds of [`Problem`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProblemCode {
    /// More bytes than a component may have.
    TooLarge,
    /// Not WebAssembly at all.
    NotWasm,
    /// A core module instead of a component.
    CoreModule,
    /// Native code that somebody compiled ahead of time.
    Precompiled,
    /// WebAssembly, but damaged, cut short, or using what the engine does not allow.
    Invalid,
    /// It is made of more instances, memories or tables than one plugin may have.
    TooComplex,
    /// Compiling it takes more time than it may.
    CompileTime,
    /// Compiling it takes more memory, or makes more code, than it may.
    CompileMemory,
    /// The process that compiles could not be started, died, or gave no sound answer.
    CompileFailed,
    /// An exported interface of Open edX's packages that is in no catalogue.
    UnknownHook,
    /// An exported interface of another major version of the contract.
    HookVersion,
    /// An exported interface lacks its function.
    MissingFunction,
    /// A type differs from the contract's.
    TypeMismatch,
    /// It imports what the host does not offer.
    UnknownImport,
    /// It imports what the host offers only with a grant that it was not given.
    NotGranted,
    /// It imports what the host offers, with other types.
    ImportMismatch,
    /// It exports no hook: there is nothing to call.
    NoHooks,
}

/// Bytes of a text in a problem.
const TEXT_BYTES: usize = 2_048;

impl Problem {
    pub(crate) fn new(
        code: ProblemCode,
        expected: impl Into<String>,
        found: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self {
            code,
            interface: None,
            function: None,
            place: None,
            expected: expected.into(),
            found: found.into(),
            help: help.into(),
            grant: None,
        }
    }

    /// Makes every character of a component's own words visible, and cuts them.
    pub(crate) fn escape(&mut self) {
        let names = [&mut self.interface, &mut self.function, &mut self.place];
        let texts = [&mut self.expected, &mut self.found, &mut self.help];
        for text in names.into_iter().flatten().chain(texts) {
            *text = crate::log::escape(text, TEXT_BYTES);
        }
    }

    pub(crate) fn of(mut self, interface: &str) -> Self {
        self.interface = Some(interface.to_owned());
        self
    }

    pub(crate) fn function(mut self, function: &str) -> Self {
        self.function = Some(function.to_owned());
        self
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(interface) = &self.interface {
            write!(f, "{interface}")?;
            if let Some(function) = &self.function {
                write!(f, "#{function}")?;
            }
            if let Some(place) = &self.place {
                write!(f, ", {place}")?;
            }
            f.write_str(": ")?;
        }
        write!(f, "expected {}, found {}. {}", self.expected, self.found, self.help)
    }
}
