;; Answers with the filter's type when the host tells it one, else with the plugin's name.
;; export openedx:filters/learning-course-about-page-url-requested-v1@1.0.0;
(module
  (import "hookbox:plugin/context@1.0.0" "get-filter-metadata" (func $metadata (param i32)))
  (import "hookbox:plugin/context@1.0.0" "plugin-name" (func $name (param i32)))
  (import "hookbox:plugin/context@1.0.0" "remaining-ms" (func $remaining (result i32)))
  (memory (export "memory") 1)
  (global $free (mut i32) (i32.const 1024))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
    (global.set $free (i32.add (local.get $at) (local.get 3)))
    (local.get $at))
  (func $run-filter (export "openedx:filters/learning-course-about-page-url-requested-v1@1.0.0#run-filter")
    (param $url i32) (param $url-len i32) (param $org i32) (param $org-len i32) (result i32)
    (if (i32.eqz (call $remaining)) (then (unreachable)))
    (i32.store8 (i32.const 8) (i32.const 1)) ;; some url
    (call $metadata (i32.const 512))
    (if (i32.load8_u (i32.const 512))
      (then (i64.store align=4 (i32.const 12) (i64.load align=4 (i32.const 516)))) ;; filter-type
      (else (call $name (i32.const 12))))
    (i32.const 0)))
