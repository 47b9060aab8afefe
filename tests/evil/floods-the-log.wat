;; Logs 900 lines of a kilobyte with a terminal's escape sequence in each.
;; outcome: answers
;; export openedx:filters/learning-course-about-page-url-requested-v1@1.0.0;
(module
  (import "wasi:logging/logging@0.1.0-draft" "log" (func $log (param i32 i32 i32 i32 i32)))
  (memory (export "memory") 1)
  (data (i32.const 4096) "\1b[2Jwiped\0ahookbox: all is well ")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
  (func $chatter
    (local $left i32)
    (memory.fill (i32.const 4130) (i32.const 0x78) (i32.const 1000))
    (local.set $left (i32.const 900))
    (loop $again
      (call $log (i32.const 2) (i32.const 0) (i32.const 0) (i32.const 4096) (i32.const 1000))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br_if $again (local.get $left))))
  (func $run-filter (export "openedx:filters/learning-course-about-page-url-requested-v1@1.0.0#run-filter")
    (param $url i32) (param $url-len i32) (param $org i32) (param $org-len i32) (result i32)
    (call $chatter)
    (i32.const 0)))
