// The words of the agp language, version 1. Input: code points; the compiler hands every code point beyond ASCII in as
// U+0001, which keeps the lexer's tables small and its offsets in bytes. Output: tokens; white space and comments stand
// on channels of their own. Every input can be tokenised: what is no part of the language becomes one of the tokens at
// the end, for which compiler/syntax/lex.cpp has a message each.
//
// Only `allow`, `ask`, `deny` and `any` are reserved. Every other keyword is a token of its own type that the parser's
// rule `name` takes back as a name.
lexer grammar AgpLexer;

// ---- reserved words
ALLOW : 'allow' ;
ASK   : 'ask' ;
DENY  : 'deny' ;
ANY   : 'any' ;

// ---- words that are keywords where the grammar expects them
AGP        : 'agp' ;
USE        : 'use' ;
AS         : 'as' ;
PARAM      : 'param' ;
LET        : 'let' ;
FRAGMENT   : 'fragment' ;
POLICY     : 'policy' ;
INVARIANT  : 'invariant' ;
FOR        : 'for' ;
TEST       : 'test' ;

FILE       : 'file' ;
NET        : 'net' ;
SYSCALL    : 'syscall' ;
CAPABILITY : 'capability' ;
ENV        : 'env' ;
TOOL       : 'tool' ;
LIMIT      : 'limit' ;
RUN        : 'run' ;
ON         : 'on' ;
INCLUDE    : 'include' ;
OWNER      : 'owner' ;
SATISFIES  : 'satisfies' ;
ISOLATION  : 'isolation' ;
PROCESS    : 'process' ;
CONTAINER  : 'container' ;
MICROVM    : 'microvm' ;
EPHEMERAL  : 'ephemeral' ;
MODE       : 'mode' ;
ENFORCE    : 'enforce' ;
AUDIT      : 'audit' ;
ACCEPT     : 'accept' ;
UNENFORCED : 'unenforced' ;
WIDER      : 'wider' ;
NARROWER   : 'narrower' ;

EXCEPT     : 'except' ;
BECAUSE    : 'because' ;
UNTIL      : 'until' ;
WITHIN     : 'within' ;
FROM       : 'from' ;
RISK       : 'risk' ;

READ       : 'read' ;
WRITE      : 'write' ;
EXEC       : 'exec' ;
LIST       : 'list' ;
MODIFY     : 'modify' ;
CREATE     : 'create' ;
DELETE     : 'delete' ;

CONNECT    : 'connect' ;
LISTEN     : 'listen' ;
RESOLVE    : 'resolve' ;
RESOLVER   : 'resolver' ;

IN         : 'in' ;
ERRNO      : 'errno' ;
TRAP       : 'trap' ;
KILL       : 'kill' ;

SET        : 'set' ;
COMMAND    : 'command' ;
WORKDIR    : 'workdir' ;
USER       : 'user' ;
ROOTFS     : 'rootfs' ;
HOSTNAME   : 'hostname' ;
CGROUP     : 'cgroup' ;
INTERFACE  : 'interface' ;
MOUNT      : 'mount' ;
TMPFS      : 'tmpfs' ;
AT         : 'at' ;
READONLY   : 'readonly' ;
WRITABLE   : 'writable' ;
SIZE       : 'size' ;
LOG        : 'log' ;
ALERT      : 'alert' ;

NEVER      : 'never' ;
ONLY       : 'only' ;
REQUIRE    : 'require' ;
WITH       : 'with' ;

UNIT       : 'B' | 'KiB' | 'MiB' | 'GiB' | 'TiB' | 's' | 'min' | 'h' | 'd' ;

// ---- names, numbers, addresses; the longest match wins, and of equally long ones the first
IDENT    : Letter (Word* WordEnd)? ;
DATE     : Digit Digit Digit Digit '-' Digit Digit '-' Digit Digit ;
NUMBER   : Digit+ | '0x' HexDigit+ ;
QUANTITY : Digit+ [A-Za-z]+ ;                        // 4GiB, also with a unit that does not exist
DECIMAL  : Digit+ '.' Digit+ ;
RANGE    : Digit+ '-' Digit+ ;
V4       : Quad ;
V4_PREFIX : Quad '/' Digit+ ;
V4_RANGE : Quad '-' Quad ;
V6       : Six ;                                     // an address or a prefix, in its brackets
V6_RANGE : Six '-' Six ;
DOTTED   : Label ('.' Label)+ ;                      // std.runtime.python, registry.internal

STRING   : '"' StringPart* '"' ;

// ---- signs
LBRACE : '{' ;
RBRACE : '}' ;
LPAREN : '(' ;
RPAREN : ')' ;
LBRACKET : '[' ;
RBRACKET : ']' ;
COMMA  : ',' ;
COLON  : ':' ;
STAR   : '*' ;
ATSIGN : '@' ;
ASSIGN : '=' ;
EQ     : '==' ;
NE     : '!=' ;
LE     : '<=' ;
GE     : '>=' ;
LT     : '<' ;
GT     : '>' ;
AMP    : '&' ;
PIPE   : '|' ;

// ---- white space and comments
WS            : [ \t\r\n]+ -> channel(HIDDEN) ;
DOC_COMMENT   : '///' (~[/\n] ~[\n]*)? -> channel(HIDDEN) ;
LINE_COMMENT  : '//' ~[\n]* -> channel(HIDDEN) ;
BLOCK_COMMENT : '/*' BlockPart* '*'+ '/' -> channel(HIDDEN) ;

// ---- what can't be part of a policy
UNCLOSED_COMMENT : '/*' BlockPart* '*'* ;
UNCLOSED_STRING  : '"' StringPart* '\\'? ;
BAD_WORD : (Word | NonAscii) (Word | NonAscii | '.')* ;
BAD_CHAR : . ;

fragment Letter   : [A-Za-z_] ;
fragment Digit    : [0-9] ;
fragment HexDigit : [0-9A-Fa-f] ;
fragment WordEnd  : [A-Za-z0-9_] ;
fragment Word     : [A-Za-z0-9_-] ;
fragment Label    : WordEnd (Word* WordEnd)? ;
fragment Quad     : Digit+ '.' Digit+ '.' Digit+ '.' Digit+ ;
fragment Six      : '[' [A-Za-z0-9_.%]* ':' [A-Za-z0-9_.:%/-]* ']' ;
fragment NonAscii : [\u0001\u0080-\u{10FFFF}] ;
fragment StringPart : ~["\\\r\n] | '\\' ~[\r\n] ;
fragment BlockPart  : ~[*] | '*'+ ~[*/] ;
