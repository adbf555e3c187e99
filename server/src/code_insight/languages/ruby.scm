(class name: (constant) @name) @definition.class
(class name: (scope_resolution name: (constant) @name) @receiver) @definition.class
(module name: (constant) @name) @definition.module
(module name: (scope_resolution name: (constant) @name) @receiver) @definition.module
(method name: (_) @name) @definition.method
(singleton_method name: (_) @name) @definition.method
(singleton_class) @container
((assignment left: (constant) @name right: (call receiver: (constant) @_maker block: (_) @body)) @definition.class
  (#any-of? @_maker "Struct" "Class" "Data"))
((assignment left: (constant) @name right: (call receiver: (constant) @_maker)) @definition.class
  (#any-of? @_maker "Struct" "Class" "Data"))
(assignment left: (constant) @name) @definition.constant
(assignment left: (global_variable) @name) @definition.variable
((call method: (identifier) @_macro arguments: (argument_list [(simple_symbol) (string)] @name)) @definition.field
  (#any-of? @_macro "attr_accessor" "attr_reader" "attr_writer" "attr" "mattr_accessor" "cattr_accessor"
    "mattr_reader" "cattr_reader" "class_attribute"))
((call method: (identifier) @_macro arguments: (argument_list . [(simple_symbol) (string)] @name)) @definition.method
  (#any-of? @_macro "define_method" "define_singleton_method" "alias_method"))
(alias name: [(identifier) (simple_symbol) (operator) (constant)] @name) @definition.method

(class name: (_) @name superclass: (superclass [(constant) (scope_resolution)] @base))
((class name: (constant) @name body: (body_statement (call method: (identifier) @_macro
  arguments: (argument_list [(constant) (scope_resolution)] @base))))
  (#any-of? @_macro "include" "extend" "prepend"))
((module name: (constant) @name body: (body_statement (call method: (identifier) @_macro
  arguments: (argument_list [(constant) (scope_resolution)] @base))))
  (#any-of? @_macro "include" "extend" "prepend"))

((call !receiver method: (identifier) @_macro arguments: (argument_list . (string (string_content) @import.module)))
  (#any-of? @_macro "require" "load"))
((call !receiver method: (identifier) @import.relative
  arguments: (argument_list . (string (string_content) @import.module)))
  (#eq? @import.relative "require_relative"))
((call method: (identifier) @_macro
  arguments: (argument_list . (simple_symbol) @import.name (string (string_content) @import.module)))
  (#eq? @_macro "autoload"))

;;; occurrences

(identifier) @reference.name
(constant) @reference.name
(instance_variable) @reference.name
(class_variable) @reference.name
(global_variable) @reference.name

(call receiver: (constant) @reference.type)
(call receiver: (scope_resolution name: (constant) @reference.type))
(call method: (identifier) @reference.call)
(call method: (constant) @reference.call)
(superclass (constant) @reference.inherit)
(superclass (scope_resolution name: (constant) @reference.inherit))
((call method: (identifier) @_macro arguments: (argument_list (constant) @reference.inherit))
  (#any-of? @_macro "include" "extend" "prepend"))
((call method: (identifier) @_macro
  arguments: (argument_list (scope_resolution name: (constant) @reference.inherit)))
  (#any-of? @_macro "include" "extend" "prepend"))
(comment) @comment

;;; bindings

(call receiver: (_) @of method: (identifier) @member)
(call receiver: (_) @of method: (constant) @member)
(scope_resolution scope: (_) @of name: (constant) @member)

(assignment left: [(identifier) (instance_variable)] @target right: (_) @value)
(operator_assignment left: [(identifier) (instance_variable)] @target right: (_) @value)
(left_assignment_list [(identifier) (instance_variable)] @target)
(method_parameters (identifier) @target)
(method_parameters (_ name: (identifier) @target))
(block_parameters (identifier) @target)
(block_parameters (_ name: (identifier) @target))
(exception_variable (identifier) @target)
(for pattern: (identifier) @target)
