; What C++ has on top of C; both files are read.
(class_specifier name: (type_identifier) @name body: (_)) @definition.class
(class_specifier name: (template_type name: (type_identifier) @name) body: (_)) @definition.class
(class_specifier name: (qualified_identifier name: (type_identifier) @name) @receiver body: (_)) @definition.class
(struct_specifier name: (template_type name: (type_identifier) @name) body: (_)) @definition.struct
(struct_specifier name: (qualified_identifier name: (type_identifier) @name) @receiver body: (_)) @definition.struct
(namespace_definition name: (_) @name) @definition.namespace
(alias_declaration name: (type_identifier) @name) @definition.type
(concept_definition name: (identifier) @name) @definition.type

(function_definition declarator: (function_declarator
  declarator: [(field_identifier) (operator_name) (destructor_name)] @name)) @definition.function
(function_definition declarator: (function_declarator
  declarator: (template_function name: (identifier) @name))) @definition.function
(function_definition declarator: (pointer_declarator
  declarator: (function_declarator declarator: [(field_identifier) (operator_name)] @name))) @definition.function
(function_definition declarator: (reference_declarator
  (function_declarator declarator: [(identifier) (field_identifier) (operator_name)] @name))) @definition.function

(function_definition declarator: (operator_cast) @name) @definition.function
(function_definition declarator: (qualified_identifier name: (operator_cast) @name) @receiver) @definition.method
(declaration declarator: (operator_cast) @name @declaration) @definition.function
(field_declaration declarator: (operator_cast) @name @declaration) @definition.function
(function_definition declarator: (function_declarator declarator: (qualified_identifier
  name: [(identifier) (operator_name) (destructor_name)] @name) @receiver)) @definition.method
(function_definition declarator: (pointer_declarator declarator: (function_declarator declarator: (qualified_identifier
  name: [(identifier) (operator_name)] @name) @receiver))) @definition.method
(function_definition declarator: (reference_declarator (function_declarator declarator: (qualified_identifier
  name: [(identifier) (operator_name)] @name) @receiver))) @definition.method
(function_definition declarator: (function_declarator declarator: (qualified_identifier
  name: (template_function name: (identifier) @name)) @receiver)) @definition.method
(function_definition declarator: (function_declarator declarator: (qualified_identifier name: (qualified_identifier
  name: [(identifier) (operator_name) (destructor_name)] @name)) @receiver)) @definition.method
(function_definition declarator: (pointer_declarator declarator: (function_declarator declarator: (qualified_identifier
  name: (qualified_identifier name: [(identifier) (operator_name)] @name)) @receiver))) @definition.method
(function_definition declarator: (reference_declarator (function_declarator declarator: (qualified_identifier
  name: (qualified_identifier name: [(identifier) (operator_name)] @name)) @receiver))) @definition.method
(function_definition declarator: (function_declarator declarator: (qualified_identifier name: (qualified_identifier
  name: (qualified_identifier name: [(identifier) (operator_name) (destructor_name)] @name))) @receiver))
  @definition.method

(field_declaration declarator: (function_declarator
  declarator: [(field_identifier) (operator_name)] @name) @declaration) @definition.method
(field_declaration declarator: (pointer_declarator declarator: (function_declarator
  declarator: [(field_identifier) (operator_name)] @name)) @declaration) @definition.method
(field_declaration declarator: (reference_declarator (function_declarator
  declarator: [(field_identifier) (operator_name)] @name)) @declaration) @definition.method
(declaration declarator: (function_declarator
  declarator: [(destructor_name) (operator_name)] @name) @declaration) @definition.function
(declaration declarator: (reference_declarator (function_declarator
  declarator: [(identifier) (operator_name)] @name)) @declaration) @definition.function
(field_declaration declarator: (reference_declarator (field_identifier) @name)) @definition.field
(declaration declarator: (init_declarator
  declarator: (qualified_identifier name: (identifier) @name) @receiver)) @definition.variable

(class_specifier name: (_) @name (base_class_clause [(type_identifier) (qualified_identifier) (template_type)] @base))
(struct_specifier name: (_) @name (base_class_clause [(type_identifier) (qualified_identifier) (template_type)] @base))

(using_declaration (qualified_identifier scope: (_) @import.module name: (identifier) @import.name))
(using_declaration "namespace" @import.all [(identifier) (qualified_identifier)] @import.module)

;;; occurrences

(namespace_identifier) @reference.name
(qualified_identifier scope: (template_type name: (type_identifier) @reference.type))
((qualified_identifier scope: (namespace_identifier) @reference.type) (#match? @reference.type "^[A-Z]"))

(call_expression function: (qualified_identifier name: (identifier) @reference.call))
(call_expression function: (qualified_identifier name: (qualified_identifier name: (identifier) @reference.call)))
(call_expression function: (qualified_identifier name: (template_function name: (identifier) @reference.call)))
(call_expression function: (template_function name: (identifier) @reference.call))
(call_expression function: (field_expression field: (template_method name: (field_identifier) @reference.call)))
(new_expression type: (type_identifier) @reference.call)
(new_expression type: (template_type name: (type_identifier) @reference.call))
(new_expression type: (qualified_identifier name: (type_identifier) @reference.call))

(base_class_clause (type_identifier) @reference.inherit)
(base_class_clause (qualified_identifier name: (type_identifier) @reference.inherit))
(base_class_clause (template_type name: (type_identifier) @reference.inherit))
(base_class_clause (qualified_identifier name: (template_type name: (type_identifier) @reference.inherit)))
(using_declaration (qualified_identifier name: (identifier) @reference.import))
(using_declaration (identifier) @reference.import)

(lambda_expression) @local.scope
(template_declaration) @wrapper
