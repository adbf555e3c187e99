; What JavaScript and TypeScript share.
(function_declaration name: (identifier) @name) @definition.function
(generator_function_declaration name: (identifier) @name) @definition.function
(method_definition name: [(property_identifier) (private_property_identifier)] @name) @definition.function
(method_definition name: (string (string_fragment) @name)) @definition.function

(variable_declarator name: (identifier) @name
  value: [(arrow_function body: (_) @body) (function_expression body: (_) @body)
          (generator_function body: (_) @body)]) @definition.function
(variable_declarator name: (identifier) @name value: (class body: (_) @body)) @definition.class
(lexical_declaration "const" (variable_declarator name: (identifier) @name) @definition.constant)
(variable_declarator name: (identifier) @name) @definition.variable

(expression_statement (assignment_expression
  left: (member_expression object: (_) @receiver property: (property_identifier) @name)
  right: [(arrow_function body: (_) @body) (function_expression body: (_) @body)
          (generator_function body: (_) @body)]) @definition.function)
(expression_statement (assignment_expression
  left: (member_expression object: (_) @receiver property: (property_identifier) @name)
  right: (assignment_expression)) @definition.variable
  (#match? @receiver "^(module\\.)?exports$"))
(expression_statement (assignment_expression
  left: (member_expression object: (_) @receiver property: (property_identifier) @name)
  right: (class body: (_) @body)) @definition.class)
((assignment_expression left: (member_expression
    object: (member_expression property: (property_identifier) @_property) @receiver
    property: (property_identifier) @name)) @definition.method
  (#eq? @_property "prototype"))
(expression_statement (assignment_expression left: (identifier) @name
  right: [(arrow_function body: (_) @body) (function_expression body: (_) @body)]) @definition.function)
(expression_statement (assignment_expression
  left: (member_expression object: (_) @receiver property: (property_identifier) @name)) @definition.variable
  (#match? @receiver "^(module\\.)?exports$"))

(variable_declarator value: (object (pair key: (property_identifier) @name
  value: [(arrow_function body: (_) @body) (function_expression body: (_) @body)]) @definition.function))
(assignment_expression right: (object (pair key: (property_identifier) @name
  value: [(arrow_function body: (_) @body) (function_expression body: (_) @body)]) @definition.function))
(export_statement value: (object (pair key: (property_identifier) @name
  value: [(arrow_function body: (_) @body) (function_expression body: (_) @body)]) @definition.function))

(arguments (function_expression name: (identifier) @name) @definition.function)

(import_statement (import_clause (identifier) @import.alias) @import.default
  source: (string (string_fragment) @import.module))
(import_statement (import_clause (namespace_import (identifier) @import.alias))
  source: (string (string_fragment) @import.module))
(import_statement (import_clause (named_imports (import_specifier name: (_) @import.name !alias)))
  source: (string (string_fragment) @import.module))
(import_statement (import_clause (named_imports
    (import_specifier name: (_) @import.name alias: (identifier) @import.alias)))
  source: (string (string_fragment) @import.module))
(import_statement . source: (string (string_fragment) @import.module))
(export_statement "*" @import.all source: (string (string_fragment) @import.module))
(export_statement (namespace_export (identifier) @import.alias) source: (string (string_fragment) @import.module))
(export_statement (export_clause (export_specifier name: (_) @import.name !alias))
  source: (string (string_fragment) @import.module))
(export_statement (export_clause (export_specifier name: (_) @import.name alias: (_) @import.alias))
  source: (string (string_fragment) @import.module))
(variable_declarator name: (identifier) @import.alias value: (call_expression
  function: (identifier) @import.require arguments: (arguments . (string (string_fragment) @import.module)))
  (#eq? @import.require "require"))
(variable_declarator
  name: (object_pattern (shorthand_property_identifier_pattern) @import.name)
  value: (call_expression
    function: (identifier) @import.require arguments: (arguments . (string (string_fragment) @import.module)))
  (#eq? @import.require "require"))
(variable_declarator
  name: (object_pattern (pair_pattern key: (property_identifier) @import.name value: (identifier) @import.alias))
  value: (call_expression
    function: (identifier) @import.require arguments: (arguments . (string (string_fragment) @import.module)))
  (#eq? @import.require "require"))
(call_expression function: [(identifier) (import)] @import.require
  arguments: (arguments . (string (string_fragment) @import.module))
  (#any-of? @import.require "require" "import"))

;;; occurrences

(identifier) @reference.name
(property_identifier) @reference.name
(private_property_identifier) @reference.name
(shorthand_property_identifier) @reference.name
(shorthand_property_identifier_pattern) @reference.name

(call_expression function: (identifier) @reference.call)
(call_expression function: (member_expression
  property: [(property_identifier) (private_property_identifier)] @reference.call))
(new_expression constructor: (identifier) @reference.call)
(new_expression constructor: (member_expression property: (property_identifier) @reference.call))
(decorator (identifier) @reference.call)

(import_clause (identifier) @reference.import)
(namespace_import (identifier) @reference.import)
(import_specifier name: (identifier) @reference.import)
(import_specifier alias: (identifier) @reference.import)
(export_specifier name: (identifier) @reference.import)

(arrow_function) @local.scope
(function_expression) @local.scope
(generator_function) @local.scope
(class_static_block) @local.scope
(export_statement) @wrapper
(decorator) @attribute
(comment) @comment

;;; bindings

(member_expression object: (_) @of property: [(property_identifier) (private_property_identifier)] @member)

(variable_declarator name: (identifier) @target !value)
(variable_declarator name: (identifier) @target value: (_) @value)
(assignment_expression left: (identifier) @target right: (_) @value) @assigned
(assignment_expression left: (member_expression) @target right: (_) @value)
(for_in_statement left: (identifier) @target)
(for_in_statement left: (identifier) @target operator: "of" right: (_) @items)
(catch_clause parameter: (identifier) @target)
(arrow_function parameter: (identifier) @target)
(arrow_function body: [(identifier) (call_expression) (new_expression) (member_expression) (await_expression)
  (parenthesized_expression) (array) (string) (number)] @returned)
(return_statement (_) @returned)
(array_pattern (identifier) @target)
(object_pattern (shorthand_property_identifier_pattern) @target)
(object_pattern (pair_pattern value: (identifier) @target))
(variable_declarator name: (array_pattern) @left value: (_) @right)
(variable_declarator name: (object_pattern (shorthand_property_identifier_pattern) @target @part) value: (_) @value)
(variable_declarator
  name: (object_pattern (pair_pattern key: (property_identifier) @key value: (identifier) @target)) value: (_) @value)
(call_expression function: (_) @callee
  arguments: (arguments [(arrow_function) (function_expression)] @callback) @arguments)
(new_expression constructor: (_) @callee
  arguments: (arguments [(arrow_function) (function_expression)] @callback) @arguments)
(call_expression function: (_) @callee
  arguments: (arguments (ternary_expression [(arrow_function) (function_expression)] @callback)) @arguments)
(new_expression constructor: (_) @callee
  arguments: (arguments (ternary_expression [(arrow_function) (function_expression)] @callback)) @arguments)
(export_statement "default" value: (identifier) @exported)
(export_statement "default" declaration: (_ name: (_) @exported))
(export_statement !source (export_clause (export_specifier name: (_) @exported alias: (_) @alias)))

(statement_block) @block
(for_statement) @block
(for_in_statement) @block
(catch_clause) @block
(switch_body) @block
(arrow_function) @block
(function_expression) @block
