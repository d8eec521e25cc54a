"""Simulated clinics with known truth, for teaching, planning, and checking the package itself."""

from alliance_longitudinal.simulation.chain import ChainTruth, simulate_chain
from alliance_longitudinal.simulation.clinic import SimulatedClinic, simulate_clinic
from alliance_longitudinal.simulation.truth import ClinicTruth

__all__ = ["ChainTruth", "ClinicTruth", "SimulatedClinic", "simulate_chain", "simulate_clinic"]
