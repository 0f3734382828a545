"""Names that a language explains by itself: they are never free names of an STF.

Written out, not read from the running interpreter, so that the answer is the same under every Python version.
"""

# ruff: noqa: SIM905 - a list of words reads as words

from __future__ import annotations

PYTHON = frozenset(
    """
    ArithmeticError AssertionError AttributeError BaseException BaseExceptionGroup BlockingIOError BrokenPipeError
    BufferError BytesWarning ChildProcessError ConnectionAbortedError ConnectionError ConnectionRefusedError
    ConnectionResetError DeprecationWarning EOFError Ellipsis EncodingWarning EnvironmentError Exception ExceptionGroup
    False FileExistsError FileNotFoundError FloatingPointError FutureWarning GeneratorExit IOError ImportError
    ImportWarning IndentationError IndexError InterruptedError IsADirectoryError KeyError KeyboardInterrupt LookupError
    MemoryError ModuleNotFoundError NameError None NotADirectoryError NotImplemented NotImplementedError OSError
    OverflowError PendingDeprecationWarning PermissionError ProcessLookupError PythonFinalizationError RecursionError
    ReferenceError ResourceWarning RuntimeError RuntimeWarning StopAsyncIteration StopIteration SyntaxError
    SyntaxWarning SystemError SystemExit TabError TimeoutError True TypeError UnboundLocalError UnicodeDecodeError
    UnicodeEncodeError UnicodeError UnicodeTranslateError UnicodeWarning UserWarning ValueError Warning
    ZeroDivisionError __build_class__ __class__ __debug__ __doc__ __file__ __import__ __loader__ __name__ __package__
    __path__ __spec__ _ abs aiter all anext any ascii bin bool breakpoint bytearray bytes callable chr classmethod
    compile complex copyright credits delattr dict dir divmod enumerate eval exec exit filter float format frozenset
    getattr globals hasattr hash help hex id input int isinstance issubclass iter len license list locals map max
    memoryview min next object oct open ord pow print property quit range repr reversed round set setattr slice sorted
    staticmethod str sum super tuple type vars zip
    """.split()
)

JAVASCRIPT = frozenset(
    """
    AbortController AbortSignal AggregateError Array ArrayBuffer Atomics BigInt BigInt64Array BigUint64Array Blob
    Boolean Buffer CustomEvent DOMException DOMParser DataView Date Document Element Error EvalError Event EventSource
    EventTarget File FileReader FinalizationRegistry Float32Array Float64Array FormData Function HTMLElement Headers
    Image Infinity Int16Array Int32Array Int8Array Intl IntersectionObserver Iterator JSON Map Math MessageChannel
    MessageEvent MutationObserver NaN Node Number Object Path2D Performance Promise Proxy RangeError
    ReadableStream ReferenceError Reflect RegExp Request ResizeObserver Response Set SharedArrayBuffer String Symbol
    SyntaxError TextDecoder TextEncoder TransformStream TypeError URIError URL URLSearchParams Uint16Array Uint32Array
    Uint8Array Uint8ClampedArray WeakMap WeakRef WeakSet WebAssembly WebSocket Worker WritableStream XMLHttpRequest
    __dirname __filename alert arguments atob btoa cancelAnimationFrame clearImmediate clearInterval clearTimeout
    confirm console crypto customElements decodeURI decodeURIComponent document encodeURI encodeURIComponent escape
    eval exports fetch getComputedStyle global globalThis history indexedDB isFinite isNaN localStorage location
    matchMedia module navigator parseFloat parseInt performance process prompt queueMicrotask requestAnimationFrame
    require screen self sessionStorage setImmediate setInterval setTimeout structuredClone undefined unescape window
    """.split()
)

TYPESCRIPT = JAVASCRIPT | frozenset(
    """
    ArrayLike AsyncGenerator AsyncIterable AsyncIterableIterator AsyncIterator Awaited BodyInit Capitalize
    ConcatArray ConstructorParameters EventListener Exclude Extract Generator HTMLButtonElement HTMLDivElement
    HTMLFormElement HTMLInputElement HeadersInit InstanceType Iterable IterableIterator IteratorResult JSX KeyboardEvent
    Lowercase MouseEvent NoInfer NodeJS NonNullable Omit OmitThisParameter Parameters Partial Pick PromiseLike
    PromiseSettledResult PropertyDescriptor PropertyKey Readonly ReadonlyArray ReadonlyMap ReadonlySet Record
    RequestInfo RequestInit Required ReturnType TemplateStringsArray ThisParameterType ThisType Uncapitalize Uppercase
    const
    """.split()
)

GO = frozenset(
    """
    _ any append bool byte cap clear close comparable complex complex128 complex64 copy delete error false float32
    float64 imag init int int16 int32 int64 int8 iota len make max min new nil panic print println real recover rune
    string true uint uint16 uint32 uint64 uint8 uintptr
    """.split()
)
