"""The events of Tracy's protocol, by number: what each holds, and how long it is."""

from __future__ import annotations

import struct
from dataclasses import dataclass

# Each event's name and what it holds, in the order of their numbers (`QueueType`). Names of fields
# stand for those that are looked at; others are bytes to pass over.
EVENTS = """
ZoneText | ZoneName | Message qB time,meta | MessageColor q3sB time,colour,meta
MessageCallstack 9s | MessageColorCallstack 12s | MessageAppInfo q
ZoneBeginAllocSrcLoc q time | ZoneBeginAllocSrcLocCallstack q time
CallstackSerial | Callstack | CallstackAlloc
CallstackSample 12s | CallstackSample32 8s | CallstackSample16 6s
CallstackSampleContextSwitch 12s | CallstackSampleContextSwitch32 8s
CallstackSampleContextSwitch16 6s | FrameImage 9s
ZoneBegin qQ time,place | ZoneBegin32 IQ time,place | ZoneBegin16 HQ time,place
ZoneBeginCallstack qQ time,place | ZoneBeginCallstack32 IQ time,place
ZoneBeginCallstack16 HQ time,place
ZoneEnd q time | ZoneEnd32 I time | ZoneEnd16 H time
LockWait IIq thread,lock,time | LockObtain IIq thread,lock,time | LockRelease Iq lock,time
LockSharedWait IIq thread,lock,time | LockSharedObtain IIq thread,lock,time
LockSharedRelease IqI lock,time,thread | LockName I lock
MemAlloc qIQ6s time,thread,address,bytes | MemAllocNamed qIQ6s time,thread,address,bytes
MemFree qIQ time,thread,address | MemFreeNamed qIQ time,thread,address
MemAllocCallstack qIQ6s time,thread,address,bytes | MemAllocCallstackNamed 26s
MemFreeCallstack qIQ time,thread,address | MemFreeCallstackNamed 20s
MemDiscard 20s | MemDiscardCallstack 20s
GpuZoneBegin 23s | GpuZoneBeginCallstack 23s | GpuZoneBeginAllocSrcLoc 15s
GpuZoneBeginAllocSrcLocCallstack 15s | GpuZoneEnd 15s | GpuZoneBeginSerial 23s
GpuZoneBeginCallstackSerial 23s | GpuZoneBeginAllocSrcLocSerial 15s
GpuZoneBeginAllocSrcLocCallstackSerial 15s | GpuZoneEndSerial 15s
PlotDataInt Qqq name,time,value | PlotDataFloat Qqf name,time,value
PlotDataDouble Qqd name,time,value
ContextSwitch 22s | ThreadWakeup 15s | GpuTime 11s | GpuContextName 1s | GpuAnnotationName 9s
CallstackFrameSize 9s | SymbolInformation 12s | ExternalNameMetadata | SymbolCodeMetadata
SourceCodeMetadata | FiberEnter qQIi time,fiber,thread,group | FiberLeave qI time,thread
SectionEnter 14s | SectionLeave 12s | SectionSetup 2s
Terminate | KeepAlive | ThreadContext I thread | GpuCalibration 25s | GpuTimeSync 17s | Crash
CrashReport 16s | ZoneValidation 4s | ZoneColor 3s colour | ZoneValue Q value
FrameMarkMsg qQ time,name | FrameMarkMsgStart qQ time,name | FrameMarkMsgEnd qQ time,name
FrameVsync 12s | SourceLocation QQQI3s name,function,file,line,colour
LockAnnounce IqQB lock,time,place,kind | LockTerminate 12s | LockMark 16s
MessageLiteral qQ time,text | MessageLiteralColor q3sQ time,colour,text
MessageLiteralCallstack 16s | MessageLiteralColorCallstack 19s | GpuNewContext 27s
CallstackFrame 16s | SysTimeReport 12s | SysPowerReport 24s | TidToPid 16s
HwSampleCpuCycle 16s | HwSampleInstructionRetired 16s | HwSampleCacheReference 16s
HwSampleCacheMiss 16s | HwSampleBranchRetired 16s | HwSampleBranchMiss 16s
PlotConfig QBBBI name,kind,step,fill,colour | ParamSetup 17s | AckServerQueryNoop
AckSourceCodeNotAvailable 4s | AckSymbolCodeNotAvailable | CpuTopology 16s
SingleStringData | SecondStringData | SingleStringData8 | SecondStringData8
MemNamePayload 8s | ThreadGroupHint 8s | GpuZoneAnnotation 23s
StringData Q pointer | ThreadName Q pointer | PlotName Q pointer | SourceLocationPayload Q pointer
CallstackPayload Q pointer | CallstackAllocPayload Q pointer | FrameName Q pointer
FrameImageData Q pointer | ExternalName Q pointer | ExternalThreadName Q pointer
SymbolCode Q pointer | SourceCode Q pointer | FiberName Q pointer
"""


@dataclass
class Kind:
    """What an event of one number looks like."""

    name: str
    layout: struct.Struct
    fields: list[str]


def _kind(text: str) -> Kind:
    name, layout, fields, *_ = [*text.split(), "", ""]
    return Kind(name, struct.Struct("<" + layout), fields.split(",") if fields else [])


KINDS = [_kind(each) for each in EVENTS.replace("\n", "|").split("|") if each.strip()]
