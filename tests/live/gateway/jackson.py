"""Jackson in a process of its own: `python jackson.py CLASSPATH JVM` prints, a line each, what it wrote in
SMILE and CBOR (hexadecimal) and the same as JSON, for every setting of its writer that changes the bytes.
"""

import json
import sys
from typing import Any

NAMES = [*(f"n{n}" for n in range(1100)), "Größe", "x" * 70, "ü" * 30, "ü" * 70, ""]
TEXTS = ["", "a", "b" * 64, "c" * 65, "ä" * 20, "ä" * 33, "ä" * 60, "again", "again", *(f"v{n}" for n in range(1100))]
NUMBERS = [0, -16, 15, -17, 16, 2**31 - 1, -(2**31), 2**63 - 1, -(2**63)]


def write(generator: Any, big: Any, decimal: Any, single: Any) -> None:
    """Every kind of value there is."""
    generator.writeStartObject()
    for _ in range(2):
        for name in NAMES:
            generator.writeFieldName(f"{name}{_}" if name == "" else name + "_" * _)
            generator.writeNull()
    generator.writeFieldName("lists")
    generator.writeStartArray()
    for _ in range(2):
        for name in NAMES:
            generator.writeStartObject()
            generator.writeFieldName(name)
            generator.writeBoolean(True)
            generator.writeEndObject()
    for text in TEXTS * 2:
        generator.writeString(text)
    for number in NUMBERS:
        generator.writeNumber(big(str(number)).longValue())
    for text in ("18446744073709551616", "-170141183460469231731687303715884105729"):
        generator.writeNumber(big(text))
    for text in ("813.50", "-0.001", "1E+30", "123456789012345678901234567890.5"):
        generator.writeNumber(decimal(text))
    generator.writeNumber(0.1)
    generator.writeNumber(single(0.1))
    generator.writeBinary(bytes(range(256)))
    generator.writeEndArray()
    generator.writeEndObject()
    generator.close()


def main(classpath: str, jvm: str) -> None:
    """Once for each setting."""
    import jpype

    jpype.startJVM(jvm, classpath=classpath.split(":"))
    smile = jpype.JPackage("com.fasterxml.jackson.dataformat.smile")
    cbor = jpype.JPackage("com.fasterxml.jackson.dataformat.cbor")
    plain = jpype.JClass("com.fasterxml.jackson.core.JsonFactory")()
    names = ("CHECK_SHARED_NAMES", "CHECK_SHARED_STRING_VALUES", "ENCODE_BINARY_AS_7BIT")
    values = (jpype.JClass("java.math.BigInteger"), jpype.JClass("java.math.BigDecimal"), jpype.JFloat)

    def written(factory: Any) -> bytes:
        out = jpype.JClass("java.io.ByteArrayOutputStream")()
        write(factory.createGenerator(out), *values)
        return bytes(out.toByteArray())

    told = written(plain).decode()
    for setting in range(8):
        factory = smile.SmileFactory()
        for bit, name in enumerate(names):
            factory.configure(getattr(smile.SmileGenerator.Feature, name), bool(setting & 1 << bit))
        print(json.dumps({"form": "smile", "raw": written(factory).hex(), "json": told}))
    print(json.dumps({"form": "cbor", "raw": written(cbor.CBORFactory()).hex(), "json": told}))


if __name__ == "__main__":
    main(*sys.argv[1:])
