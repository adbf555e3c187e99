; Decorators stand around a definition, docstrings in it.
(class_definition name: (identifier) @name) @definition.class
(function_definition name: (identifier) @name) @definition.function
(type_alias_statement left: (type (identifier) @name)) @definition.type
(type_alias_statement left: (type (generic_type . (identifier) @name))) @definition.type
(assignment left: (identifier) @name) @definition.variable
(assignment left: (pattern_list (identifier) @name)) @definition.variable
(assignment left: (tuple_pattern (identifier) @name)) @definition.variable

(class_definition name: (identifier) @name superclasses: (argument_list [(identifier) (attribute)] @base))
(class_definition name: (identifier) @name superclasses: (argument_list (subscript value: (_) @base)))

(class_definition name: (identifier) @name body: (block . (expression_statement (string) @doc)))
(function_definition name: (identifier) @name body: (block . (expression_statement (string) @doc)))

(import_statement name: (dotted_name) @import.module)
(import_statement name: (aliased_import name: (dotted_name) @import.module alias: (identifier) @import.alias))
(import_from_statement module_name: (_) @import.module name: (dotted_name) @import.name)
(import_from_statement module_name: (_) @import.module
  name: (aliased_import name: (dotted_name) @import.name alias: (identifier) @import.alias))
(import_from_statement module_name: (_) @import.module (wildcard_import) @import.all)
(future_import_statement "__future__" @import.module name: (dotted_name) @import.name)

;;; occurrences

(identifier) @reference.name

(call function: (identifier) @reference.call)
(call function: (attribute attribute: (identifier) @reference.call))
(decorator (identifier) @reference.call)
(decorator (attribute attribute: (identifier) @reference.call))

(type (identifier) @reference.type)
(type (attribute attribute: (identifier) @reference.type))
(type (subscript value: (identifier) @reference.type))
(type (subscript value: (attribute attribute: (identifier) @reference.type)))
(type (binary_operator (identifier) @reference.type))
(type (binary_operator (attribute attribute: (identifier) @reference.type)))
(type (binary_operator (binary_operator (identifier) @reference.type)))
(generic_type (identifier) @reference.type)
(member_type (identifier) @reference.type)
(union_type (type (identifier) @reference.type))
(except_clause value: (identifier) @reference.type)
(except_clause value: (as_pattern . (identifier) @reference.type))
(except_clause value: (tuple (identifier) @reference.type))

(class_definition superclasses: (argument_list (identifier) @reference.inherit))
(class_definition superclasses: (argument_list (attribute attribute: (identifier) @reference.inherit)))
(class_definition superclasses: (argument_list (subscript value: (identifier) @reference.inherit)))
(class_definition superclasses:
  (argument_list (subscript value: (attribute attribute: (identifier) @reference.inherit))))

(import_statement name: (dotted_name (identifier) @reference.import))
(import_statement name: (aliased_import name: (dotted_name (identifier) @reference.import)))
(import_statement name: (aliased_import alias: (identifier) @reference.import))
(import_from_statement name: (dotted_name (identifier) @reference.import))
(import_from_statement name: (aliased_import name: (dotted_name (identifier) @reference.import)))
(import_from_statement name: (aliased_import alias: (identifier) @reference.import))
(import_from_statement module_name: (dotted_name (identifier) @reference.import))
(future_import_statement name: (dotted_name (identifier) @reference.import))
(relative_import (dotted_name (identifier) @reference.import))

(lambda) @local.scope
(decorated_definition) @wrapper
(comment) @comment
