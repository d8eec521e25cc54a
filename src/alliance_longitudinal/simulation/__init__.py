"""Simulated clinics with known truth, for teaching, planning, and checking the package itself."""

from alliance_longitudinal.simulation.clinic import SimulatedClinic, simulate_clinic
from alliance_longitudinal.simulation.truth import ClinicTruth

__all__ = ["ClinicTruth", "SimulatedClinic", "simulate_clinic"]
