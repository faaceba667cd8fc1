"""Writes events.tfevents, the oracle of src/tensorboard.rs, and reads event files of malmoi.

    pip install tensorboard==2.21.0
    python make_events.py                 # writes events.tfevents beside this file
    python make_events.py RUN/tensorboard # prints what TensorBoard finds in a run's folder
"""
import pathlib
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto import event_pb2, summary_pb2, tensor_pb2, tensor_shape_pb2, types_pb2
from tensorboard.summary.writer.record_writer import RecordWriter


def write(path):
    at = dict(wall_time=1_700_000_000.25)
    value = summary_pb2.Summary.Value
    text = value(
        tag="sample/0",
        metadata=summary_pb2.SummaryMetadata(plugin_data=summary_pb2.SummaryMetadata.PluginData(plugin_name="text")),
        tensor=tensor_pb2.TensorProto(
            dtype=types_pb2.DT_STRING,
            tensor_shape=tensor_shape_pb2.TensorShapeProto(dim=[tensor_shape_pb2.TensorShapeProto.Dim(size=1)]),
            string_val=["    가나다\n".encode()],
        ),
    )
    numbers = [value(tag="train/loss", simple_value=2.5), value(tag="train/learning-rate", simple_value=1e-3)]
    events = [
        event_pb2.Event(file_version="brain.Event:2", **at),
        event_pb2.Event(step=8, session_log=event_pb2.SessionLog(status=event_pb2.SessionLog.START), **at),
        event_pb2.Event(step=8, summary=summary_pb2.Summary(value=numbers), **at),
        event_pb2.Event(step=300, summary=summary_pb2.Summary(value=[text]), **at),
    ]
    with open(path, "wb") as file:
        writer = RecordWriter(file)
        for event in events:
            writer.write(event.SerializeToString())
        writer.flush()


def read(folder):
    found = EventAccumulator(folder, size_guidance={"scalars": 0, "tensors": 0})
    found.Reload()
    for tag in found.Tags()["scalars"]:
        points = found.Scalars(tag)
        steps = [point.step for point in points]
        assert steps == sorted(set(steps)), (tag, steps)
        print(f"{tag}: {len(points)} points, steps {steps[0]} to {steps[-1]}, last {points[-1].value:.6g}")
    for tag in found.Tags()["tensors"]:
        for point in found.Tensors(tag):
            print(f"{tag} at step {point.step}: {point.tensor_proto.string_val[0].decode()!r}")


if len(sys.argv) > 1:
    read(sys.argv[1])
else:
    write(pathlib.Path(__file__).parent / "events.tfevents")
