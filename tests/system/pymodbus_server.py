# SPDX-License-Identifier: MIT
"""A Modbus server that we did not write: pymodbus_server.py tcp PORT | rtu DEVICE

Unit 1 (tcp) or units 1 and 9 (rtu): holding and input registers 0..99 hold 1000 + address, but
for input 0 and 1, which hold 230.2 as float32 ABCD; coils and discrete inputs alternate.
"""
import sys

from pymodbus.datastore import (ModbusSequentialDataBlock, ModbusServerContext,
                                ModbusSlaveContext)
from pymodbus.device import ModbusDeviceIdentification
from pymodbus.framer.rtu_framer import ModbusRtuFramer
from pymodbus.server import StartSerialServer, StartTcpServer


def slave():
    registers = [1000 + i for i in range(100)]
    inputs = [0x4366, 0x3333] + registers[2:]
    bits = [i % 2 for i in range(64)]
    return ModbusSlaveContext(di=ModbusSequentialDataBlock(0, bits),
                              co=ModbusSequentialDataBlock(0, bits),
                              hr=ModbusSequentialDataBlock(0, registers),
                              ir=ModbusSequentialDataBlock(0, inputs), zero_mode=True)


def main():
    identity = ModbusDeviceIdentification()
    identity.VendorName, identity.ProductCode, identity.MajorMinorRevision = "ACME", "PM-1", "1.2"
    units = {1: slave(), 9: slave()}
    context = ModbusServerContext(slaves=units, single=False)
    if sys.argv[1] == "tcp":
        StartTcpServer(context=context, identity=identity, address=("127.0.0.1", int(sys.argv[2])))
    else:
        StartSerialServer(context=context, identity=identity, framer=ModbusRtuFramer,
                          port=sys.argv[2], baudrate=115200, timeout=1)


main()
