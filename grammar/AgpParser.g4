// The sentences of the agp language, version 1: the one definition of its syntax. Input: the visible tokens of
// AgpLexer. There are no separators: a statement ends where the next begins. Words that this grammar does not fix
// (verbs, protocols, names of limits and of system calls) are `name`s; compiler/sema knows which exist.
//
// compiler/syntax reads a file item by item. When an item does not parse, its statements are read one by one, so the
// rules that can stand alone there are entry points too: `item`, `statement` and the `…Rule`, `…Entry` and `…Line` rules;
// `actionPattern` is the one for an action on the command line.
parser grammar AgpParser;
options { tokenVocab = AgpLexer; }

file : item* EOF ;

item : version | use | parameterItem | let | fragmentItem | policy | invariant | test ;

version       : AGP NUMBER ;
use           : USE (itemName | STRING) (AS name)? ;
parameterItem : PARAM parameter ;
let           : LET name ASSIGN value ;
fragmentItem  : FRAGMENT name parameters? LBRACE statement* RBRACE ;
policy        : POLICY name LBRACE statement* RBRACE ;
invariant     : INVARIANT name (FOR strings)? LBRACE invariantLine* RBRACE ;
test          : TEST itemName arguments? LBRACE testLine* RBRACE ;

parameters : LPAREN (parameter (COMMA parameter)* COMMA?)? RPAREN ;
parameter  : name COLON type (ASSIGN value)? ;
type       : name | LBRACKET name RBRACKET ;
arguments  : LPAREN (argument (COMMA argument)* COMMA?)? RPAREN ;
argument   : name COLON value ;

// ---- what stands in a policy or a fragment

statement : fileBlock | netBlock | syscallBlock | capabilityBlock | envBlock | toolBlock | limitBlock | runBlock
          | onDenyBlock | include | textHeader | isolationHeader | modeHeader | accept ;

textHeader : (OWNER | SATISFIES) strings ;
isolationHeader : ISOLATION isolationWord isolationWord? ;
isolationWord : PROCESS | CONTAINER | MICROVM | EPHEMERAL ;
modeHeader : MODE (ENFORCE | AUDIT) (FOR names)? ;
include    : INCLUDE itemName arguments? ;

fileBlock : FILE LBRACE fileRule* RBRACE ;
fileRule  : effect names strings (modifier | exceptStrings)* ;

netBlock  : NET LBRACE netEntry* RBRACE ;
netEntry  : netRule | resolver ;
netRule   : effect name netPattern (modifier | exceptNet)* ;
resolver  : RESOLVER addresses ;

syscallBlock : SYSCALL LBRACE syscallRule* RBRACE ;
syscallRule  : effect syscallPatterns (modifier | exceptSyscalls | denial)* ;
denial       : ERRNO name | TRAP | KILL ;

capabilityBlock : CAPABILITY LBRACE capabilityRule* RBRACE ;
capabilityRule  : effect names (modifier | exceptNames)* ;

envBlock : ENV LBRACE envEntry* RBRACE ;
envEntry : textRule | envSet ;
envSet   : SET STRING ASSIGN STRING ;
toolBlock : TOOL LBRACE textRule* RBRACE ;
textRule : effect strings (modifier | exceptStrings)* ;

limitBlock : LIMIT LBRACE limitEntry* RBRACE ;
limitEntry : limitName value ;

runBlock : RUN LBRACE runEntry* RBRACE ;
runEntry : COMMAND strings
         | (WORKDIR | ROOTFS | HOSTNAME | CGROUP | INTERFACE) STRING
         | USER NUMBER COLON NUMBER
         | MOUNT (TMPFS | STRING) AT STRING mountOption* ;
mountOption : READONLY | WRITABLE | SIZE value ;

onDenyBlock : ON DENY LBRACE onDenyEntry* RBRACE ;
onDenyEntry : LOG | ALERT name FOR names ;

accept : ACCEPT (UNENFORCED | WIDER | NARROWER) fact modifier* ;
fact   : LIMIT name | MOUNT STRING | USER | MODE | factBlock | actionPattern ;
factBlock : FILE | NET | SYSCALL | CAPABILITY | ENV | TOOL | LIMIT | RUN ;

// ---- what rules are made of

effect   : ALLOW | ASK | DENY ;
modifier : AS STRING | BECAUSE STRING | UNTIL DATE | WITHIN addresses | FROM addresses | RISK name ;
names    : name (COMMA name)* ;
strings  : STRING (COMMA STRING)* ;

exceptStrings  : EXCEPT strings ;
exceptNames    : EXCEPT names ;
exceptNet      : EXCEPT netTargets ;
exceptSyscalls : EXCEPT syscallPatterns ;

netPattern : protocols? netTargets? ;
protocols  : protocol (COMMA protocol)* ;
protocol   : name | ANY ;
netTargets : netTarget (COMMA netTarget)* ;
netTarget  : abstractSocket | endpoint ;
abstractSocket : ATSIGN name ;

syscallPatterns : syscallPattern (COMMA syscallPattern)* ;
syscallPattern  : group | syscallName conditions? | KILL conditions ;
group       : ATSIGN name ;
conditions  : LPAREN (condition (COMMA condition)* COMMA?)? RPAREN ;
condition   : name (comparison constant | AMP constant EQ constant | IN constantList) | constant ;
comparison  : EQ | NE | LT | LE | GT | GE ;
constantList : LBRACKET (constant (COMMA constant)* COMMA?)? RBRACKET ;
constant    : constantTerm | LPAREN constantTerm (PIPE constantTerm)* RPAREN ;
constantTerm : name | NUMBER ;

// ---- actions, written the same way everywhere

actionPattern : SYSCALL syscallPatterns exceptSyscalls?
              | CAPABILITY names exceptNames?
              | (ENV | TOOL) strings exceptStrings?
              | (CONNECT | LISTEN) netPattern exceptNet?
              | RESOLVE addresses
              | fileVerb (COMMA fileVerb)* strings exceptStrings? ;
fileVerb : READ | WRITE | EXEC | LIST | MODIFY | CREATE | DELETE ;

testLine : effect actionPattern ;

invariantLine : NEVER actionPattern (WITH actionPattern)?
              | ONLY actionPattern (COMMA actionPattern)*
              | REQUIRE requirement ;
requirement : LIMIT name (comparison value)?
            | MODE ENFORCE
            | ISOLATION isolationWord isolationWord?
            | EPHEMERAL | OWNER
            | RUN USER ;

// ---- values

value : STRING | NUMBER UNIT? | QUANTITY | DECIMAL | DATE | RANGE | addressLiteral | ANY | DOTTED | name
      | LBRACKET (value (COMMA value)* COMMA?)? RBRACKET ;

endpoint  : addressPart (COLON portPart)? ;
addressPart : address | LBRACKET address (COMMA address)* COMMA? RBRACKET ;
portPart  : port | LBRACKET port (COMMA port)* COMMA? RBRACKET ;
port      : NUMBER | RANGE | STAR | name ;
addresses : addressPart (COMMA addressPart)* ;
address   : addressLiteral | DOTTED | STRING | ANY | name ;
addressLiteral : V4 | V4_PREFIX | V4_RANGE | V6 | V6_RANGE ;

itemName : name | DOTTED ;
syscallName : plainName ;
// `memory 4 GiB`: behind a number a unit is its unit, never the name of the next limit.
limitName : plainWord | KILL ;
name : plainName | KILL ;

plainName : plainWord | UNIT ;
plainWord : IDENT
     | AGP | USE | AS | PARAM | LET | FRAGMENT | POLICY | INVARIANT | FOR | TEST
     | FILE | NET | SYSCALL | CAPABILITY | ENV | TOOL | LIMIT | RUN | ON | INCLUDE | OWNER | SATISFIES | ISOLATION
     | PROCESS | CONTAINER | MICROVM | EPHEMERAL | MODE | ENFORCE | AUDIT | ACCEPT | UNENFORCED | WIDER | NARROWER
     | EXCEPT | BECAUSE | UNTIL | WITHIN | FROM | RISK
     | READ | WRITE | EXEC | LIST | MODIFY | CREATE | DELETE
     | CONNECT | LISTEN | RESOLVE | RESOLVER | IN | ERRNO | TRAP
     | SET | COMMAND | WORKDIR | USER | ROOTFS | HOSTNAME | CGROUP | INTERFACE | MOUNT | TMPFS | AT | READONLY
     | WRITABLE | SIZE | LOG | ALERT | NEVER | ONLY | REQUIRE | WITH ;
