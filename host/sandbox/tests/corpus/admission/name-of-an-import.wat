;; A name that the validator repeats when it refuses it.
(component (import "url=<\1b[2J\e2\80\ae>" (func)) (import "a\1b[2J\0ab" (func)))
